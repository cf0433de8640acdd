# network = ["http://127.0.0.1:{echo}"]
# about = "A request that is written as a frame is looked at as one that urllib makes."
# backends = ["wasm"]
# expect = "value:[]"
import json

import _pcm_host

port = tools.places()["port"]
reached = []
for url in (
    f"http://127.0.0.1:{port}/", f"http://127.0.0.1:{port}\\@127.0.0.1:{tools.places()['echo']}/", f"HTTP://127.0.0.1:{port}",
    f"http://127.0.0.1:{tools.places()['echo']}@127.0.0.1:{port}/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "unix:/var/run/docker.sock",
    f"http://127.0.0.1:{port}/\r\nHost: x", "http://", "", "//127.0.0.1",
):
    for method in ("GET", "CONNECT", "GET / HTTP/1.1\r\nX: y\r\n\r\nGET", ""):
        args = {"method": method, "url": url, "headers": [], "body": None}
        frame = {"namespace": "network", "op": "request", "args": args}
        reply = _pcm_host.call(json.dumps(frame).encode())
        if b'"ok":true' in reply:
            reached.append([method, url])
reached
