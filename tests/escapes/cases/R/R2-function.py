# about = "A function that calls itself, with the limit as high as it goes."
# expect = "error:RecursionError"
import sys

sys.setrecursionlimit(10**9)


def f():
    f()


f()
