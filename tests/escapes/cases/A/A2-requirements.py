# host = "workshop"
# about = "A package is asked for by its name and versions, and by nothing that an installer would take for an order."
# expect = "value:[]"
port = tools.places()["port"]
taken = []
for spec in (
    "x @ file:///etc/passwd", f"x @ http://127.0.0.1:{port}/x.whl", f"--index-url=http://127.0.0.1:{port} x", f"-ihttp://127.0.0.1:{port}", "-r /etc/passwd", "-e .", "./x", "/tmp/x.whl",
    f"git+http://127.0.0.1:{port}/x", f"http://127.0.0.1:{port}/x-1.0-py3-none-any.whl", 'x; python_version<"4"', "x # y", "x\n--extra-index-url http://evil", "x --hash=sha256:0", "$(id)", "`id`", "x|y", "x && y", "", " ", "x" * 300,
    "x\0", "x[a;b]", "x>=1,\n<2", "\u043fandas", "x==1; import os", "@file:///x", "x@y", None, 7, "../x", "x\\y", "%2e", "x==$(id)",
):
    try:
        deps.add(spec)
        taken.append(str(spec)[:40])
    except (DepsError, TypeError):
        pass
taken + deps.list()
