# about = "A value that looks like a result is a value."
# also = ["subprocess", "in-process"]
# expect = 'value:{"error":null,"is_ok":true,"session":"kept","value":1}'
{"value": 1, "error": None, "session": "kept", "is_ok": True}
