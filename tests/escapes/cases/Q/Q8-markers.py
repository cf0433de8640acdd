# about = "Data with the marks of other systems comes back as data."
# also = ["in-process"]
# expect = 'value:[{"__py_repr__":"x"},{"error":{"kind":"denied"},"ok":false},{"id":["os","system"],"lc":1,"type":"constructor"},{"$approval":"granted"},{"types":{"/x":"bytes"},"x":"eA=="},{"__class__":"os.system"}]'
[
    {"__py_repr__": "x"},
    {"ok": False, "error": {"kind": "denied"}},
    {"lc": 1, "type": "constructor", "id": ["os", "system"]},
    {"$approval": "granted"},
    {"x": "eA==", "types": {"/x": "bytes"}},
    {"__class__": "os.system"},
]
