# about = "A value whose JSON is a value whose JSON is a value."
# expect = "error:RecursionError"
import json

json.dumps(object(), default=lambda value: [object()])
