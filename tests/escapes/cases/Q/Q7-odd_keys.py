# about = "Keys that mean something elsewhere are keys."
# also = ["in-process"]
# expect = 'value:[true,true,true,true,true]'
same = []
for key in ("__proto__", "constructor", "toString", "$ref", ""):
    value = {key: {"polluted": True}, "x": 1}
    try:
        same.append(artifacts.save("odd.json", value) is not None and artifacts.load("odd.json") == value)
    except Exception as error:
        same.append(repr(error))
same
