# about = "A loop in a finally block is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
def forever():
    try:
        while True:
            pass
    finally:
        forever()


forever()
