# about = "An iterator that iterates over itself."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


class A:
    def __iter__(self):
        return iter([*self])


list(A())
