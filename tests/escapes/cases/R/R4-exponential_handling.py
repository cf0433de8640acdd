# about = "Handling that doubles at every level is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
def f(n):
    try:
        f(n + 1)
    except RecursionError:
        f(n + 1)
        f(n + 1)


f(0)
