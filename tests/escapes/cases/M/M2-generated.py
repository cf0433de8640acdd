# about = "Classes, functions and modules fill the memory like other objects."
# expect = "limit:memory"
# session = ["kept", "reset"]
# limits.memory_bytes = 67_108_864
def grow():
    hoard = []
    while True:
        hoard.append(type("Made", (), {"method": lambda self: self, "data": [0] * 1000}))


grow()
