# about = "A name that is on the list and leads to this machine, or to what a cloud tells, is refused."
# network = ["http://rebound.test:*", "http://metadata.test", "http://both.test:*"]
# expect = "value:[]"
import urllib.request

places = tools.places()
reached = []
for name in ("rebound.test", "both.test", "REBOUND.test", "rebound.test."):
    for port in (places["port"], places["echo"]):
        try:
            urllib.request.urlopen(f"http://{name}:{port}/", timeout=2)
            reached.append([name, port])
        except (OSError, ValueError):
            pass
try:
    urllib.request.urlopen("http://metadata.test/latest/meta-data/", timeout=2)
    reached.append("metadata")
except (OSError, ValueError):
    pass
reached
