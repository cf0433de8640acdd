# about = "A comparison of a sort that sorts."
# expect = "error:RecursionError"
import functools
import sys

sys.setrecursionlimit(10**9)


def compare(a, b):
    return len(sorted([a, b], key=functools.cmp_to_key(compare)))


compare(1, 2)
