# about = "Recursion through a substitution."
# expect = "error:RecursionError"
import re
import sys

sys.setrecursionlimit(10**9)


def f(match):
    return re.sub("a", f, "aa")


f(None)
