# about = "A call that nobody waits for ends with its run."
# expect = "ok"
# limits.timeout_ms = 300
import asyncio

left = asyncio.ensure_future(tools.slow(ms=60_000))
await asyncio.sleep(0)
