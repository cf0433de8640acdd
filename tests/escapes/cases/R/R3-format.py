# about = "A format that calls itself."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


class A:
    def __format__(self, how):
        return f"{self}"


f"{A()}"
