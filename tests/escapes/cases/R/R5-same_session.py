# about = "A tool that runs code in the session that called it waits for itself, and is given up."
# expect = "kind:timeout"
# limits.timeout_ms = 300
tools.nest(code="1 + 1")
