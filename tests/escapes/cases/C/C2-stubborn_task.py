# about = "A task that swallows its cancellation is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import asyncio


async def stubborn():
    while True:
        try:
            await asyncio.sleep(0)
        except BaseException:
            pass


await asyncio.gather(stubborn(), stubborn())
