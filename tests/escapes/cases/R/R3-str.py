# about = "A str that calls itself."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


class A:
    def __str__(self):
        return str(self)


str(A())
