# about = "A bomb of processes is held, and the machine has its processes for others."
# backends = ["subprocess", "container"]
# expect = "ok"
# session = ["kept", "reset"]
# limits.timeout_ms = 20000
import os
import time

read, write = os.pipe()
children = 0
while children < 320:
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        # One more in the count, which goes by itself when its parent says so or is gone.
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    children += 1
os.close(write)
assert children < 320, children
