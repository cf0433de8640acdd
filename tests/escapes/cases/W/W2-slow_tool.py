# about = "A call that outlives the deadline is given up."
# expect = "kind:timeout"
# limits.timeout_ms = 300
tools.slow(ms=60_000)
