# about = "A local list that grows without end; it goes, so the session stays."
# expect = "limit:memory"
# limits.memory_bytes = 67_108_864
def grow():
    hoard = []
    while True:
        hoard.append(" " * 10**6)


grow()
