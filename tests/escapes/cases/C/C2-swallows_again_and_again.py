# about = "Code that catches whatever stops it, again and again, is stopped all the same."
# expect = "kind:timeout"
# session = ["reset"]
# limits.timeout_ms = 300
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
