# about = "A tool that starts a session, whose code calls the tool, and so on: the deadline of the first one ends them all."
# expect = "kind:timeout"
# host_mib = 3000
# limits.timeout_ms = 200
rest = "tools.nest_fresh(code=f'rest = {rest!r}\\n' + rest)"
tools.nest_fresh(code=f"rest = {rest!r}\n" + rest)
