# about = "A signal that the code raises in itself ends nothing but itself."
# also = ["subprocess"]
# expect = "any"
# session = ["kept", "reset"]
import signal

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGABRT, signal.SIGSEGV):
    try:
        signal.raise_signal(number)
    except (KeyboardInterrupt, OSError, ValueError, AttributeError):
        pass
