# about = "A profile function for threads changes nothing."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import threading

threading.setprofile(lambda *what: None)
threading.settrace(lambda *what: None)
while True:
    pass
