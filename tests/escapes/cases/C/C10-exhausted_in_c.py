# about = "Fuel that runs out within C code is noticed."
# backends = ["wasm"]
# expect = "kind:fuel"
# session = ["reset"]
# limits.fuel = 1_000_000_000
sum(range(10**12))
