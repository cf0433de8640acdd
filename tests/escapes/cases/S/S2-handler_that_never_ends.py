# about = "So is a handler that loops."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 1000
import signal


def forever(*args):
    while True:
        pass


signal.signal(signal.SIGINT, forever)
signal.raise_signal(signal.SIGINT)
