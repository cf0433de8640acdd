# about = "The largest item of an endless iterator is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
max(iter(int, 1))
