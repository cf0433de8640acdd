# about = "Memory that was used up is there again for the next attempt."
# expect = "value:20"
# limits.memory_bytes = 67_108_864
def grow():
    hoard = []
    while True:
        hoard.append(" " * 10**6)


failures = 0
for _ in range(20):
    try:
        grow()
    except MemoryError:
        failures += 1
failures
