# about = "A sum of numbers beyond 32 bits is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
sum(range(2**62))
