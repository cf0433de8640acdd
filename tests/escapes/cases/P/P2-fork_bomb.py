# about = "A bomb of processes is held, and the machine has its processes for others."
# backends = ["subprocess", "container"]
# expect = ["ok", "kind:timeout", "kind:crashed"]
# session = ["kept", "reset"]
# limits.timeout_ms = 8000
import os
import time

ends = time.monotonic() + 4
children = 0
while time.monotonic() < ends and children < 2000:
    try:
        child = os.fork()
    except OSError:
        break
    if child == 0:
        # A child is one more in the count, and goes by itself.
        time.sleep(3)
        os._exit(0)
    children += 1
assert children < 2000, children
