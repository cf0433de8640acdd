# about = "With the network off no public address is asked for anything, by its number or by a name."
# expect = "value:0"
import urllib.request

reached = 0
for url in ("http://93.184.216.119/", "http://1.1.1.1/", "https://1.1.1.1/", "http://example.org/", "http://[2606:4700::1111]/"):
    try:
        urllib.request.urlopen(url, timeout=2)
        reached += 1
    except (OSError, ValueError):
        pass
reached
