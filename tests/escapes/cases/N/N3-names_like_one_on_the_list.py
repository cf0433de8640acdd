# about = "A name that looks like one on the list is another name."
# network = ["private:http://rebound.test:{echo}"]
# expect = "value:[]"
import urllib.request

echo = tools.places()["echo"]
urllib.request.urlopen(f"http://rebound.test:{echo}/").read()
reached = []
for name in ("rebound.test.example", "xrebound.test", "sub.rebound.test", "rebound.tes", "reb\u043eund.test", "rebound.test@127.0.0.1", "127.0.0.1"):
    try:
        urllib.request.urlopen(f"http://{name}:{echo}/", timeout=2)
        reached.append(name)
    except (OSError, ValueError):
        pass
reached
