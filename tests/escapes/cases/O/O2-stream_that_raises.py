# about = "A stream of the code's own that raises, loops or lies does not stand in the way of the result."
# also = ["in-process"]
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 2000
import sys


class Stream:
    encoding = property(lambda self: 1 / 0)

    def write(self, text):
        raise BaseException(text)

    def flush(self):
        raise SystemExit

    def __getattr__(self, name):
        raise RuntimeError(name)


sys.stdout = sys.stderr = Stream()
undefined
