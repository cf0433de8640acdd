# about = "pickle.dumps of a list a million deep is an error."
# expect = "error:RecursionError"
import pickle

deep = []
for _ in range(10**6):
    deep = [deep]
pickle.dumps(deep)
