# host = "workshop"
# mounts = true
# about = "A folder that becomes a link while it is used does not lead out."
# expect = "value:0"
# limits.timeout_ms = 20000
import asyncio
import os

out = 0
os.makedirs("/open/d", exist_ok=True)
open("/open/d/secret.txt", "w").write("mine")


async def swap():
    for _ in range(300):
        try:
            os.rename("/open/d", "/open/kept")
            os.symlink("..", "/open/d")
        except (OSError, NotImplementedError):
            pass
        await asyncio.sleep(0)
        try:
            os.remove("/open/d")
        except OSError:
            pass
        try:
            os.rename("/open/kept", "/open/d")
        except OSError:
            pass
        await asyncio.sleep(0)


async def look():
    global out
    for _ in range(600):
        try:
            out += "canary-" in open("/open/d/secret.txt").read()
        except OSError:
            pass
        await asyncio.sleep(0)


await asyncio.gather(swap(), look())
out
