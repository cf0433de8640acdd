# about = "A program that uses up its fuel leaves its session as it was, where that was asked for."
# backends = ["wasm"]
# expect = "kind:fuel"
# session = ["rolled_back"]
# rollback = true
# limits.fuel = 1_000_000_000
survivor = 0
while True:
    pass
