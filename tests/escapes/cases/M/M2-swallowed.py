# about = "Code that goes on allocating after every MemoryError is stopped in time."
# expect = ["kind:timeout", "limit:memory"]
# session = ["kept", "reset"]
# limits.memory_bytes = 67_108_864
# limits.timeout_ms = 1000
hoard = []
while True:
    try:
        hoard.append(" " * 10**6)
    except MemoryError:
        pass
