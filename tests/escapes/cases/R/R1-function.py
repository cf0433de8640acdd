# about = "A function that calls itself."
# expect = "error:RecursionError"
def f():
    f()


f()
