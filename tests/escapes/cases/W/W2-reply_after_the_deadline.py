# about = "A reply that comes after the deadline reaches nobody."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import asyncio

late = None


async def wait():
    global late
    late = await tools.slow(ms=400)


try:
    await wait()
finally:
    await tools.slow(ms=60_000)
