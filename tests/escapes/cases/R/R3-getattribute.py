# about = "A lookup that calls itself at every step."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


class A:
    def __getattribute__(self, name):
        return self.x


A().x
