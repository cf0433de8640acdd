# about = "Fuel that runs out between calls to the host is noticed."
# backends = ["wasm"]
# expect = "kind:fuel"
# session = ["reset"]
# limits.fuel = 100_000_000
# limits.tool_calls = 1_000_000_000
while True:
    tools.math.add(a=1, b=2)
