# about = "A hash that calls itself."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


class A:
    def __hash__(self):
        return hash(self)


hash(A())
