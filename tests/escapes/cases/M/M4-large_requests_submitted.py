# about = "Requests below the limit that are too many do not pile up in the host."
# expect = ["error:ToolError"]
import asyncio

text = "x" * (2 * 10**6)
await asyncio.gather(*(tools.never(text=text) for _ in range(20)))
