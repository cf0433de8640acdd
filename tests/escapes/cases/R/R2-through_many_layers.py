# about = "Recursion through many layers of C code."
# expect = "error:RecursionError"
import functools
import sys

sys.setrecursionlimit(10**9)


def f(n):
    return functools.reduce(lambda a, b: next(map(f, [a])), [n, n])


f(1)
