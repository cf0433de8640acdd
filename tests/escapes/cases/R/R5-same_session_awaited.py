# about = "An awaited tool that runs code in the session that called it is given up as well."
# expect = "kind:timeout"
# limits.timeout_ms = 300
await tools.nest(code="survivor = 0")
