# about = "json.dumps of a list a million deep is an error."
# expect = "error:RecursionError"
import json

deep = []
for _ in range(10**6):
    deep = [deep]
json.dumps(deep)
