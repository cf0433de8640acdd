# about = "A lock that is taken twice is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import threading

lock = threading.Lock()
lock.acquire()
lock.acquire()
