# about = "Requests that are no requests are refused."
# expect = "value:8"
# backends = ["wasm"]
import _pcm_host

frames = [
    b"",
    b"\xff" * 100,
    b"\xff\xff\xff\xff" * 100,
    b"[" * 10**6,
    b'{"namespace":"tools","op":"call","args":' + b"[" * 1000 + b"]" * 1000 + b"}",
    b'{"namespace":"tools","op":"call","args":{"value":1e999}}',
    b'{"namespace":"\xed\xa0\x80","op":"call","args":{}}',
    b'{"namespace":"tools","op":"call","args":{"value":{"name":"big","args":{"bytes":-1}}}}',
]
refused = 0
for frame in frames:
    reply = _pcm_host.call(frame)
    refused += b'"ok":false' in reply
refused
