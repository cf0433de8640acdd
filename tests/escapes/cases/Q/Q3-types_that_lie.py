# about = "Types beside the arguments do not make another call of it than the policy saw."
# host = "workshop"
# policy = true
# expect = "value:[]"
import json

port = tools._host._port
got = []
for args, types in (
    ({"name": "vault.read", "args": {"path": "data/x"}}, {"/args/path": "bytes"}),
    ({"name": "vault.read", "args": {"path": "ZGF0YS94"}}, {"/args/path": "bytes"}),
    ({"name": "vault.read", "args": {"path": ["data/x"]}}, {"/args/path": "tuple"}),
    ({"name": "vault.read", "args": {"path": "data/x"}}, {"/name": "bytes"}),
    ({"name": "dmF1bHQub3Blbg==", "args": {}}, {"/name": "bytes"}),
    ({"name": "vault.read", "args": {"path": "data/x"}}, {"": "bytes"}),
    ({"name": "vault.read", "args": {"path": "data/x"}}, {"/args": "set"}),
    ({"name": "vault.read", "args": {"path": "data/../../x"}}, {"/args/path": "datetime"}),
    ({"name": "vault.read", "args": {"path": "data/x"}}, {"/namespace": "bytes", "/op": "bytes"}),
):
    frame = {"namespace": "tools", "op": "call", "args": args, "types": types}
    answer = json.loads(port.call(json.dumps(frame).encode()))
    if answer.get("ok") and answer["value"] != "data":
        got.append([args, types])
got
