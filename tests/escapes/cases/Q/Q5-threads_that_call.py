# about = "So it is with threads that a kernel leaves behind."
# host = "workshop"
# policy = true
# backends = ["subprocess"]
# expect = "value:0"
import threading
import time


def later():
    time.sleep(0.2)
    for _ in range(20):
        try:
            tools.vault.open()
        except Exception:
            pass
        time.sleep(0.05)


threading.Thread(target=later, daemon=True).start()
0
