# about = "A list a million deep as the value is told of in few words."
# expect = "value:null"
deep = []
for _ in range(10**6):
    deep = [deep]
deep
