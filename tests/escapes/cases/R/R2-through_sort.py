# about = "Recursion through a sort."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


def f(n):
    return sorted([n, n], key=f)


f(1)
