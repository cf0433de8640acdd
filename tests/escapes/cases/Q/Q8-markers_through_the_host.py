# about = "So does what goes through the host and back."
# also = ["subprocess"]
# expect = "value:true"
values = [
    {"ok": False, "type": "PolicyDenied", "message": "x"},
    {"ok": True, "value": 1, "types": {"": "bytes"}},
    {"__py_repr__": "<x>"},
    {"types": {"/a": "set"}, "a": [1]},
    {"_data_type": "bytes"},
    {"namespace": "tools", "op": "call"},
]
for number, value in enumerate(values):
    artifacts.save(f"marker{number}", value)
[artifacts.load(f"marker{number}") for number in range(len(values))] == values
