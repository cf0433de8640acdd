# about = "Tasks and threads that one session leaves do nothing in another."
# also = ["subprocess"]
# expect = "value:[]"
import asyncio
import threading


async def forever():
    while True:
        await asyncio.sleep(0.01)
        print("left behind")


asyncio.ensure_future(forever())
try:
    threading.Thread(target=lambda: [print("left behind") for _ in iter(int, 1)], daemon=True).start()
except RuntimeError:
    pass
1
# ---- next session
import asyncio
import threading
import time

time.sleep(0.2)
await asyncio.sleep(0)
[str(task) for task in asyncio.all_tasks() if "forever" in str(task)] + [thread.name for thread in threading.enumerate() if "lambda" in thread.name]
