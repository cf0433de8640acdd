# about = "An event that nobody sets is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import threading

threading.Event().wait()
