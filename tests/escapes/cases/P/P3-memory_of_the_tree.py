# about = "The memory of the processes of a kernel together is bounded, not that of each alone."
# backends = ["container"]
# expect = ["ok", "kind:crashed", "kind:memory", "error:MemoryError"]
# session = ["kept", "reset"]
# limits.timeout_ms = 20000
# limits.memory_bytes = 300_000_000
import os
import time

children = []
for _ in range(8):
    child = os.fork()
    if child == 0:
        try:
            held = bytearray(100 * 2**20)
            time.sleep(1)
        except MemoryError:
            os._exit(3)
        os._exit(0)
    children.append(child)
ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
assert any(ended), "eight times 100 MiB fit into 300 MB"
