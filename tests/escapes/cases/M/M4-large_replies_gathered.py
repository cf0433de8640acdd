# about = "Replies below the limit that are too many for the memory are an error."
# expect = ["error:MemoryError", "error:ToolError"]
# session = ["kept", "reset"]
# host_mib = 300
# limits.host_call_bytes = 1_000_000
import asyncio

await asyncio.gather(*(tools.big(bytes=9 * 10**5) for _ in range(1000)))
