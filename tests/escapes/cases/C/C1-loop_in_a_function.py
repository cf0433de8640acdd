# about = "A loop of calls is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
def step(n):
    return n + 1


def forever():
    n = 0
    while True:
        n = step(n)


forever()
