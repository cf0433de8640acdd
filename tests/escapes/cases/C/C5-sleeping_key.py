# about = "A sort whose key sleeps is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import time

sorted([3, 1, 2], key=lambda item: time.sleep(100))
