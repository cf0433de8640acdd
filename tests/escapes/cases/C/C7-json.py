# about = "JSON a million deep is an error."
# expect = "error:RecursionError"
import json

json.loads("[" * 10**6)
