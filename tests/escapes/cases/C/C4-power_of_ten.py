# about = "A power of a thousand million digits is stopped."
# expect = ["kind:timeout", "error:MemoryError"]
# limits.timeout_ms = 300
10 ** (10**9)
