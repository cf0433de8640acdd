# about = "Two functions that call each other."
# expect = "error:RecursionError"
def f():
    g()


def g():
    f()


f()
