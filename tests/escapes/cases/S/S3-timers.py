# about = "Timers and alarms do nothing to the host, and do not keep the run from its end."
# also = ["subprocess"]
# expect = ["ok", "kind:crashed"]
# session = ["kept", "reset"]
# limits.timeout_ms = 5000
import signal
import time

try:
    signal.signal(signal.SIGALRM, lambda *args: None)
    signal.signal(signal.SIGVTALRM, lambda *args: None)
except (AttributeError, ValueError):
    pass
for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"):
    if name == "ITIMER_PROF":
        continue  # nobody handles it: it is the end of whoever sets it
    try:
        signal.setitimer(getattr(signal, name), 0.0001, 0.0001)
    except (AttributeError, OSError, NotImplementedError):
        pass
ends = time.monotonic() + 0.5
while time.monotonic() < ends:
    pass
try:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.alarm(0)
except (AttributeError, OSError, NotImplementedError):
    pass
