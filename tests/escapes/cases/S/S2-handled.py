# about = "So is code that has a handler for the interrupt, and swallows what is raised besides."
# also = ["subprocess"]
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 1000
import signal

signal.signal(signal.SIGINT, lambda *args: None)
try:
    signal.signal(signal.SIGTERM, lambda *args: None)
except (OSError, ValueError):
    pass
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
