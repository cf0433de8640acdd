# about = "A lookup that calls itself."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


class A:
    def __getattr__(self, name):
        return getattr(self, name)


A().x
