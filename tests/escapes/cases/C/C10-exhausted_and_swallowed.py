# about = "A program that uses up its fuel cannot go on."
# backends = ["wasm"]
# expect = "kind:fuel"
# session = ["reset"]
# limits.fuel = 1_000_000_000
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
