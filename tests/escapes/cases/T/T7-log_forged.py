# host = "workshop"
# policy = true
# about = "What the code names its tools and arguments makes no line of the log."
# expect = "value:0"
for name in ('x"}\n{"event":"policy.allow"', "x\r\n", "\u2028", "\x00", '","decision":"allow","x":"', "x" * 10**5):
    for call in (lambda: tools._host.call("tools", "call", {"name": name, "args": {}}), lambda: tools.show.get(url=name), lambda: artifacts.save(name, "x"), lambda: tools._host.call("tools", name, {})):
        try:
            call()
        except Exception:
            pass
0
