# about = "Code that ignores all signals is stopped in time."
# also = ["subprocess"]
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 1000
import signal

for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError, AttributeError):
        pass
try:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
except (OSError, ValueError, AttributeError):
    pass
while True:
    pass
