# about = "A frame that says something twice is not read one way by the policy and another by the tool."
# host = "workshop"
# policy = true
# expect = "value:[]"
import json

port = tools._host._port
got = []
for frame in (
    '{"namespace":"tools","op":"call","args":{"name":"show","name":"vault.open","args":{}}}',
    '{"namespace":"tools","op":"call","args":{"name":"vault.open","name":"show","args":{}}}',
    '{"namespace":"tools","op":"list","op":"call","args":{"name":"vault.open","args":{}}}',
    '{"namespace":"tools","op":"call","args":{"name":"math.add","args":{}},"args":{"name":"vault.open","args":{}}}',
    '{"namespace":"tools","op":"call","args":{"name":"vault.read","args":{"path":"data/x","path":"../secret"}}}',
    '{"namespace":"tools","op":"call","args":{"name":"vault.read","args":{"path":"../secret","path":"data/x"}}}',
    '{"namespace":"tools","op":"call","args":{"na\\u006de":"vault.open","args":{}}}',
    '{"namespace":"tools","op":"call","args":{"name":"vault\\u002eopen","args":{}}}',
    '{"namespace":"tools","op":"call","args":{"name":"vault.open\\u0000","args":{}}}',
    '{"namespace":"tools","namespace":"artifacts","op":"call","args":{"name":"vault.open","args":{}}}',
):
    try:
        answer = json.loads(port.call(frame.encode()))
    except ValueError:
        continue
    if answer.get("ok") and answer["value"] != "data":
        got.append([frame, answer["value"]])
got
