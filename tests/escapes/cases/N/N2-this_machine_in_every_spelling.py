# network = ["http://127.0.0.1:{echo}"]
# about = "With one port of this machine on the list, another one is not reached in any spelling."
# expect = "value:[]"
import http.client
import urllib.request

port = tools.places()["port"]
reached = []
for host in (
    "127.0.0.1", "localhost", "LOCALHOST", "localhost.", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "0.0.0.0",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "127.0.0.2", "127.255.255.254", "rebound.test", "both.test", "user@127.0.0.1",
    "127.0.0.1%00", "127.0.0.1#", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]",
):
    try:
        urllib.request.urlopen(f"http://{host}:{port}/", timeout=2)
        reached.append(host)
    except (OSError, ValueError, http.client.InvalidURL):
        pass
reached
