# about = "A loop of quick awaited calls does not renew its time."
# expect = "kind:timeout"
# limits.timeout_ms = 500
# limits.tool_calls = 1_000_000_000
while True:
    await tools.math.add(a=1, b=2)
