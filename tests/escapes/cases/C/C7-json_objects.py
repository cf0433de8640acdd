# about = "JSON of a million objects in each other is an error."
# expect = "error:RecursionError"
import json

json.loads('{"a":' * 10**6)
