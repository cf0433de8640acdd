# about = "A sort whose key computes is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
def slow(item):
    while True:
        pass


sorted(range(1000), key=slow)
