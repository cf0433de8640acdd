# about = "A list a million deep ends without harm."
# expect = ["ok", "kind:crashed"]
# session = ["kept", "reset"]
deep = []
for _ in range(10**6):
    deep = [deep]
del deep
