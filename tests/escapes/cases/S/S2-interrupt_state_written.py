# about = "Code that turns the interrupt off where the interpreter keeps it is stopped the hard way."
# backends = ["deno-sandbox"]
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 1000
import ctypes

library = ctypes.CDLL(None)
while True:
    for name in ("PyErr_CheckSignals", "PyErr_Clear"):
        try:
            getattr(ctypes.pythonapi, name)()
        except BaseException:
            pass
