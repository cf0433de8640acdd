# about = "Calls have a budget of their own."
# expect = "error:ToolError"
# limits.tool_calls = 100
for n in range(101):
    tools.math.add(a=n, b=1)
