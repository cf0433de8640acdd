# about = "Code that calls on after the budget is spent is stopped in time."
# expect = "kind:timeout"
# limits.timeout_ms = 500
# limits.tool_calls = 100
while True:
    try:
        tools.math.add(a=1, b=2)
    except ToolError:
        pass
