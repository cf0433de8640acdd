# about = "A dict that grows without end."
# expect = "limit:memory"
# limits.memory_bytes = 67_108_864
def grow():
    hoard = {}
    while True:
        hoard[len(hoard)] = str(len(hoard))


grow()
