# about = "A long asynchronous sleep is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import asyncio

await asyncio.sleep(100)
