# about = "A function that catches the error and calls itself again is an error or is stopped."
# expect = ["error:RecursionError", "kind:timeout", "ok"]
# session = ["kept", "reset"]
# limits.timeout_ms = 300
def f():
    try:
        f()
    except RecursionError:
        f()


f()
