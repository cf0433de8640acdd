# about = "An awaited call that outlives the deadline is given up."
# expect = "kind:timeout"
# limits.timeout_ms = 300
await tools.slow(ms=60_000)
