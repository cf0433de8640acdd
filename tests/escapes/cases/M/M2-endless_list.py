# about = "A global list that grows without end; it stays, so the session cannot."
# expect = "limit:memory"
# session = ["reset"]
# limits.memory_bytes = 67_108_864
hoard = []
while True:
    hoard.append(" " * 10**6)
