# about = "A global list that grows without end leaves the session as it was, where that was asked for."
# backends = ["wasm"]
# expect = "limit:memory"
# session = ["rolled_back"]
# rollback = true
# limits.memory_bytes = 67_108_864
survivor = 0
hoard = []
while True:
    hoard.append(" " * 10**6)
