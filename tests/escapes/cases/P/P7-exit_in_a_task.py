# about = "An exit out of a task, a callback or a finaliser ends nothing but the run."
# expect = ["ok", "error:SystemExit", "error:KeyboardInterrupt"]
# session = ["kept", "reset"]
import asyncio
import gc


class Leaves:
    def __del__(self):
        raise SystemExit(4)


async def leave():
    raise SystemExit(5)


Leaves()
gc.collect()
asyncio.get_running_loop().call_soon(lambda: (_ for _ in ()).throw(KeyboardInterrupt()))
await asyncio.gather(leave(), return_exceptions=True)
