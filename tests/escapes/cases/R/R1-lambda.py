# about = "A function without a name that calls itself."
# expect = "error:RecursionError"
f = lambda n: f(n + 1) + 1
f(0)
