# about = "Ten loops at once are stopped."
# expect = "kind:timeout"
# sessions = 10
# limits.timeout_ms = 500
while True:
    pass
