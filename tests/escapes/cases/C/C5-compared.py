# about = "A comparison of long lists that never leaves C code is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
items = [0.5] * 10**6
while True:
    items == items.copy()
