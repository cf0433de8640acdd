# network = ["http://127.0.0.1:{echo}"]
# about = "Code that replaces what stands for a network in Python gets no further than with it."
# expect = "value:[]"
import http.client
import socket
import sys
import urllib.request

port = tools.places()["port"]
reached = []
for name in [name for name in sys.modules if name.startswith("pcm_guest.network") or name.startswith("pcm_guest.connections")]:
    module = sys.modules[name]
    for entry in dir(module):
        if "check" in entry or "refus" in entry or "allow" in entry:
            setattr(module, entry, lambda *args, **kwargs: True)
for way in (
    lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=2).request("GET", "/"),
    lambda: urllib.request.build_opener(urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}"})).open("http://example.org/", timeout=2),
    lambda: socket.create_connection(("127.0.0.1", port), 2),
):
    try:
        way()
        reached.append(1)
    except (OSError, AttributeError, TypeError):
        pass
# A connection object may be made; it reaches nobody, which the canary's port tells.
reached if len(reached) > 1 else []
