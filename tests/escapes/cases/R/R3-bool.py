# about = "A truth that calls itself."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


class A:
    def __bool__(self):
        return bool(self)


bool(A())
