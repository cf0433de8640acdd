# about = "The repr of a list a million deep is an error."
# expect = "error:RecursionError"
deep = []
for _ in range(10**6):
    deep = [deep]
repr(deep)
