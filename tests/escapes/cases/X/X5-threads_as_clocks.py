# about = "A thread that counts is no clock: there are none."
# expect = ["error:RuntimeError", "error:ImportError", "error:NotImplementedError"]
import threading

ticks = 0


def tick():
    global ticks
    while True:
        ticks += 1


threading.Thread(target=tick, daemon=True).start()
