# about = "A sum that never leaves C code is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
sum(range(10**12))
