# about = "A frame whose parts would take the host a multiple of its length is not built."
# expect = "value:[true,true]"
# host_mib = 64
port = tools._host._port
refused = []
for part in (b"{},", b"[],"):
    head, tail = b'{"namespace":"tools","op":"call","args":{"name":"echo","args":{"text":[', b"0]}}}"
    room = 8 * 2**20 - len(head) - len(tail)
    frame = head + part * (room // len(part)) + tail
    refused.append(b"too many parts" in bytes(port.call(frame)))
refused
