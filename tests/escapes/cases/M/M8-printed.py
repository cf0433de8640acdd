# about = "A list a million deep cannot be printed."
# expect = "error:RecursionError"
deep = []
for _ in range(10**6):
    deep = [deep]
print(deep)
