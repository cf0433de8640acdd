# about = "Exceptions that are raised while handling each other, without end."
# expect = "error:RecursionError"
def f():
    try:
        1 / 0
    except ZeroDivisionError:
        f()


f()
