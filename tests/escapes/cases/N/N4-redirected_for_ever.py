# network = ["http://127.0.0.1:{echo}"]
# about = "Redirects to redirects end."
# expect = ["error:HTTPError", "error:URLError", "kind:timeout"]
# limits.timeout_ms = 10000
import urllib.request

echo = tools.places()["echo"]
place = "/x"
for _ in range(30):
    place = f"/redirect?to={place}" if len(place) < 900 else place
urllib.request.urlopen(f"http://127.0.0.1:{echo}{place}")
