# about = "A dict that looks up what is missing in itself."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


class A(dict):
    def __missing__(self, key):
        return self[key]


A()[1]
