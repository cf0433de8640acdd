# about = "A list a million deep ends without harm."
# expect = "ok"
deep = []
for _ in range(10**6):
    deep = [deep]
del deep
