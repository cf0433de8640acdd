# about = "An empty loop is stopped, and costs nothing but its time."
# expect = "kind:timeout"
# limits.timeout_ms = 300
while True:
    pass
