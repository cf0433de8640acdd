# about = "The comparison of lists a million deep is an error."
# expect = "error:RecursionError"
deep = []
for _ in range(10**6):
    deep = [deep]

other = []
for _ in range(10**6):
    other = [other]
deep == other
