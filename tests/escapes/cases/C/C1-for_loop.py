# about = "A loop over an iterator that never ends is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
for _ in iter(int, 1):
    pass
