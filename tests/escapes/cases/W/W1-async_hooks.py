# about = "Hooks of asynchronous generators that never end are stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import sys


def forever(generator):
    while True:
        pass


sys.set_asyncgen_hooks(firstiter=forever, finalizer=forever)


async def numbers():
    yield 1


async for number in numbers():
    pass
