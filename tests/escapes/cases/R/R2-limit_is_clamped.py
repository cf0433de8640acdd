# about = "The limit is what the sandbox grants."
# expect = "value:2000"
# limits.recursion = 2000
import sys

sys.setrecursionlimit(10**9)
sys.getrecursionlimit()
