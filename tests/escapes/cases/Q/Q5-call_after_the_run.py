# about = "A call that a task makes when its run is over is not made, or belongs to the run that it is made in."
# host = "workshop"
# policy = true
# expect = "value:0"
import asyncio


async def later():
    await asyncio.sleep(0.05)
    tools.vault.open()


asyncio.ensure_future(later())
0
