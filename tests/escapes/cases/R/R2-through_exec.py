# about = "Recursion through code that is compiled at every level."
# expect = ["error:RecursionError", "kind:memory"]
import sys

sys.setrecursionlimit(10**9)

source = "exec(source)"
exec(source)
