# about = "A queue that stays empty is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import queue

queue.Queue().get()
