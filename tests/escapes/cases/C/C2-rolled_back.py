# about = "Code that has to be stopped the hard way leaves its session as it was, where that was asked for."
# backends = ["wasm"]
# expect = "kind:timeout"
# session = ["rolled_back"]
# rollback = true
# limits.timeout_ms = 300
survivor = 0
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
