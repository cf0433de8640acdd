# about = "Calls that are gathered count like others."
# expect = "error:ToolError"
# limits.tool_calls = 100
import asyncio

await asyncio.gather(*(tools.math.add(a=n, b=1) for n in range(1000)))
