# about = "What Emscripten has for sockets and fetching leads nowhere."
# backends = ["deno-sandbox"]
# expect = "any"
# session = ["kept", "reset"]
import ctypes
import socket
import struct

port = tools.places()["port"]
url = f"http://127.0.0.1:{port}/".encode()
library = ctypes.CDLL(None)
attributes = struct.pack("<IIi", id(url) + 16, 0, 1)
for call in (
    lambda: library.emscripten_async_wget(url, b"/work/x", 0, 0),
    lambda: library.emscripten_async_wget_data(url, 0, 0, 0),
    lambda: library.emscripten_wget(url, b"/work/x"),
    lambda: library.emscripten_websocket_new(attributes),
    lambda: library.emscripten_fetch(attributes, url),
    lambda: library.emscripten_run_script(b"fetch(" + url + b")"),
):
    try:
        call()
    except (OSError, AttributeError, ValueError):
        pass
try:
    descriptor = library.socket(2, 1, 0)
    address = struct.pack("<H", 2) + struct.pack(">H", port) + socket.inet_aton("127.0.0.1") + bytes(8)
    library.connect(descriptor, address, 16)
    library.send(descriptor, b"GET / HTTP/1.0\r\n\r\n", 18, 0)
except (OSError, AttributeError):
    pass
