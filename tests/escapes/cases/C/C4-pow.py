# about = "A power of a hundred million is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
pow(3, 10**8)
