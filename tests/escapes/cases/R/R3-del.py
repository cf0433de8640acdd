# about = "A finaliser that makes another one, without end, is stopped."
# expect = ["kind:timeout", "ok", "error:RecursionError"]
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import sys

sys.setrecursionlimit(10**9)


class A:
    def __del__(self):
        A()


A()
