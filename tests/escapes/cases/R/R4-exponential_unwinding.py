# about = "Unwinding that doubles at every level is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
def f():
    try:
        f()
    finally:
        f()


f()
