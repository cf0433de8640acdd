# about = "A descriptor that is to be woken by signals is one of the sandbox's own."
# expect = ["ok"]
import signal

for number in range(-1, 64):
    try:
        signal.set_wakeup_fd(number)
    except (OSError, ValueError, AttributeError):
        pass
try:
    signal.raise_signal(signal.SIGINT)
except (KeyboardInterrupt, AttributeError, OSError):
    pass
try:
    signal.set_wakeup_fd(-1)
except (OSError, ValueError, AttributeError):
    pass
