# about = "A repr that calls itself."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


class A:
    def __repr__(self):
        return repr(self)


repr(A())
