# network = ["http://127.0.0.1:{echo}"]
# about = "A server on the list does not send a request to one that is not."
# expect = "value:[]"
import urllib.parse
import urllib.request

places = tools.places()
base = f"http://127.0.0.1:{places['echo']}"
# That redirects work at all:
assert b"arrived" in urllib.request.urlopen(f"{base}/redirect?to={base}/arrived").read()
reached = []
for place in (
    f"http://127.0.0.1:{places['port']}/", f"//127.0.0.1:{places['port']}/", f"http://localhost:{places['port']}/", "http://169.254.169.254/",
    "file:///etc/passwd", f"http://127.0.0.1:{places['echo']}@127.0.0.1:{places['port']}/", "http://metadata.test/",
    f"{base}/redirect?to=" + urllib.parse.quote(f"http://127.0.0.1:{places['port']}/", safe=""),
):
    try:
        urllib.request.urlopen(f"{base}/redirect?to=" + urllib.parse.quote(place, safe=""), timeout=2)
        reached.append(place)
    except (OSError, ValueError):
        pass
reached
