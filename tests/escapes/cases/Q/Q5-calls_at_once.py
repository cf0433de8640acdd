# about = "A hundred thousand calls at once are counted, and those beyond the limit refused."
# expect = ["error:ToolError", "limit:tool_calls", "kind:timeout", "limit:memory", "error:MemoryError"]
# session = ["kept", "reset"]
# host_mib = 300
# limits.timeout_ms = 40000
# limits.tool_calls = 1000
import asyncio

await asyncio.gather(*(tools.echo(text="x") for _ in range(10**5)))
