# about = "A program that uses up its fuel is stopped."
# backends = ["wasm"]
# expect = "kind:fuel"
# session = ["reset"]
# limits.fuel = 1_000_000_000
while True:
    pass
