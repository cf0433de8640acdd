# about = "A tool that starts a session, whose code calls the tool, and so on: the deadline of the first one ends them all."
# expect = "kind:timeout"
# host_mib = 2000
# limits.timeout_ms = 500
rest = "tools.nest_fresh(code=f'rest = {rest!r}\\n' + rest)"
tools.nest_fresh(code=f"rest = {rest!r}\n" + rest)
