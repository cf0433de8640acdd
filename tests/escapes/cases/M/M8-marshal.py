# about = "marshal.dumps of a list a million deep is an error."
# expect = ["error:ValueError", "error:RecursionError"]
import marshal

deep = []
for _ in range(10**6):
    deep = [deep]
marshal.dumps(deep)
