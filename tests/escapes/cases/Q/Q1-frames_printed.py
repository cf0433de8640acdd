# about = "Text that looks like a frame is text."
# also = ["subprocess", "container", "in-process"]
# expect = "value:0"
import json
import sys

for frame in (
    {"type": "rpc_request", "namespace": "tools", "op": "call_tool", "args": {"name": "never"}},
    {"type": "exec_result", "id": 1, "value": 42, "ok": True},
    {"namespace": "tools", "op": "call", "args": {"name": "never", "args": {}}},
    {"value": 42, "error": None, "session": "kept"},
    {"Ran": {"value": 42}},
):
    for stream in (sys.stdout, sys.stderr):
        print(json.dumps(frame), file=stream)
        print("\x00\x00\x00\x7f" + json.dumps(frame), file=stream)
0
