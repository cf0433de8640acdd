# about = "Frames that were thrown together are refused one by one, and the next one is read."
# also = ["subprocess", "in-process"]
# expect = "value:[]"
# limits.timeout_ms = 20000
port = tools._host._port
frames = [
    b"", b"null", b"[]", b"0", b"{}", b'"x"', b"\xff\xfe", b"{" * 10**5, b"[" * 10**5, b'{"a":' * 10**5,
    b'{"namespace":"tools"}', b'{"namespace":null,"op":null,"args":null}', b'{"namespace":"tools","op":"call","args":[]}',
    b'{"namespace":"tools","op":"call","args":{"name":1e999,"args":{}}}', b'{"namespace":"tools","op":"call","args":{"name":"\\ud800","args":{}}}',
    b'{"namespace":"tools","op":"call","args":{"__proto__":{"x":1},"constructor":{}}}', b'{"namespace":"tools","op":"' + b"x" * 10**6 + b'","args":{}}',
    b'{"namespace":"tools","op":"call","args":{},"types":{"/" :"bytes"}}', b'{"namespace":"tools","op":"call","args":{},"types":[]}',
    b'{"namespace":"tools","op":"call","args":{"name":"echo","args":{"text":' + b"9" * 10**5 + b"}}}",
    b'\xef\xbb\xbf{"namespace":"tools","op":"list","args":{}}', b'{"namespace":"tools","op":"list","args":{}}{"namespace":"tools","op":"list","args":{}}',
]
taken = []
for frame in frames:
    try:
        reply = bytes(port.call(frame))
    except Exception:
        continue
    if b'"ok":true' in reply and b'"list"' not in frame and b'"echo"' not in frame:
        taken.append(frame[:60].decode("latin-1"))
taken
