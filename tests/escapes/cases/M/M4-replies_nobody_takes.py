# about = "Replies that nobody takes do not pile up in the host."
# expect = ["ok", "limit:memory"]
# session = ["kept", "reset"]
# host_mib = 300
# limits.host_call_bytes = 1_000_000
# limits.timeout_ms = 10000
import asyncio
import time


async def ask():
    await tools.big(bytes=9 * 10**5)


waiting = [asyncio.ensure_future(ask()) for _ in range(1000)]
await asyncio.sleep(0)
time.sleep(0.5)
for call in waiting:
    call.cancel()
