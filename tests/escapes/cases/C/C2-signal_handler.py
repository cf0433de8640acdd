# about = "Code that installs handlers for signals is stopped."
# expect = ["kind:timeout", "error:ValueError", "error:OSError", "error:AttributeError"]
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import signal

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
