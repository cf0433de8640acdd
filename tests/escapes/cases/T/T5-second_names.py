# host = "workshop"
# policy = true
# about = "A rule about a tool is about all names that the tool has."
# expect = "value:[]"
got = []
for name in ("hall.door", "hall.door.door", "hall.door.door.door", "hall.door.", "hall..door", "hall.DOOR", "hall.door\u200b", "hall.x.door", "hall.list"):
    try:
        got.append([name, tools._host.call("tools", "call", {"name": name, "args": {}})])
    except ToolError:
        pass
got
