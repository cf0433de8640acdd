import copy
a = {"l": [1, {"d": (2, [3])}]}
b, c = copy.copy(a), copy.deepcopy(a)
a["l"].append("new")
a["l"][1]["d"][1].append(4)
(b, c, b["l"] is a["l"], c["l"] is a["l"])
