# about = "A loop that catches groups of exceptions is stopped."
# expect = "kind:timeout"
# session = ["reset"]
# limits.timeout_ms = 300
while True:
    try:
        while True:
            pass
    except* BaseException:
        pass
