# about = "A long sleep is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import time

time.sleep(100)
