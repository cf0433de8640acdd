# about = "Calls and output use the same fuel in two sessions."
# backends = ["wasm"]
# expect = "value:42"
# sessions = 2
# across = "same_fuel"
# limits.fuel = 1_000_000_000_000
for n in range(100):
    print(tools.echo(text=str(n)))
await tools.math.add(a=40, b=2)
