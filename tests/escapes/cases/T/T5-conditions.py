# host = "workshop"
# policy = true
# about = "A condition on a path holds for every way to write the path."
# expect = "value:[]"
got = []
for path in ("../secret.txt", "data/../../secret.txt", "data/..", "data/../x", "/etc/passwd", "./../x", "data\\..\\..\\x", "data/./../../x", "data//../../x", "~/x", "data/\0/../../x", ["data/x", "../y"], None, "dat\u0430/x", "DATA/x", "data", "", " data/x", "data/x\n../y", b"data/../../x", 7):
    try:
        answer = tools.vault.read(path=path)
    except ToolError:
        continue
    if answer != "data":
        got.append(str(path))
try:
    got.append(tools.vault.read())
except ToolError:
    pass
tools.vault.read(path="data/x") == "data" and got
