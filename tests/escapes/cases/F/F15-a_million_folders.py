# about = "So are folders."
# expect = ["error:OSError", "error:MemoryError"]
# session = ["kept", "reset"]
# host_mib = 200
# limits.timeout_ms = 60000
import os

for number in range(10**6):
    os.mkdir(f"/tmp/{number}")
