# about = "Recursion through C code, with the limit as high as it goes."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


def f(n):
    return max([n], key=f)


f(1)
