# about = "Fifty thousand calls that wait do not pile up in the host."
# expect = ["error:ToolError"]
# session = ["kept", "reset"]
# limits.timeout_ms = 40000
# limits.tool_calls = 1_000_000_000
import asyncio

await asyncio.gather(*(tools.never() for _ in range(50_000)))
