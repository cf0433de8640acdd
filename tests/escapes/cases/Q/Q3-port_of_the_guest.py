# about = "The port below the namespaces gives nothing that they do not give."
# host = "workshop"
# policy = true
# also = ["subprocess", "in-process"]
# expect = "value:[]"
import json

port = tools._host._port


def ask(namespace, op, args, **more):
    frame = {"namespace": namespace, "op": op, "args": args, **more}
    return json.loads(port.call(json.dumps(frame).encode()))


got = []
for namespace, op, args in (
    ("tools", "call", {"name": "vault.open", "args": {}}),
    ("tools", "call", {"name": "vault.open"}),
    ("tools", "call_tool", {"name": "vault.open", "args": {}}),
    ("tools", "vault.open", {}),
    ("Tools", "call", {"name": "vault.open", "args": {}}),
    ("tools", "CALL", {"name": "vault.open", "args": {}}),
    ("tools", "call", {"name": "vault.open", "args": {}, "origin": "host"}),
    ("tools", "call", {"name": "vault.open", "args": {}, "approved": True}),
    ("tools", "call", {"name": "show", "args": {}, "tool": "vault.open"}),
    ("policy", "approve", {"id": "*"}),
    ("approvals", "approve", {"id": "*"}),
    ("session", "run", {"code": "1"}),
    ("audit", "clear", {}),
    ("host", "environ", {}),
    ("network", "request", {"method": "GET", "url": "http://127.0.0.1:%d/" % tools.places()["port"]}),
):
    try:
        answer = ask(namespace, op, args)
    except ValueError:
        continue
    if answer.get("ok"):
        got.append([namespace, op, answer["value"]])
got
