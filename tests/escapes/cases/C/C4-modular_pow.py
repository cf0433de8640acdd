# about = "A power modulo a large number is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
pow(3, 1 << 10**6, (1 << 10**6) - 1)
