# about = "A callback of the garbage collection that never ends is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import gc


def forever(*what):
    while True:
        pass


gc.callbacks.append(forever)
gc.collect()
