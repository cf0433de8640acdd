# about = "A connection to a port of this machine is not made, by any of the ways to make one."
# also = ["container", "subprocess"]
# expect = "value:[]"
import asyncio
import http.client
import socket
import urllib.request

port = tools.places()["port"]


def raw():
    made = socket.socket()
    made.settimeout(2)
    made.connect(("127.0.0.1", port))
    return made


async def streams():
    return await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 2)


made = []
for name, way in {
    "raw": raw,
    "create": lambda: socket.create_connection(("127.0.0.1", port), 2),
    "six": lambda: socket.create_connection(("::1", port), 2),
    "urlopen": lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2),
    "http": lambda: http.client.HTTPConnection("127.0.0.1", port, timeout=2).request("GET", "/"),
    "https": lambda: http.client.HTTPSConnection("127.0.0.1", port, timeout=2).request("GET", "/"),
}.items():
    try:
        way()
        made.append(name)
    except (OSError, AttributeError, EOFError, NotImplementedError):
        pass
try:
    await streams()
    made.append("streams")
except (OSError, AttributeError, NotImplementedError, TimeoutError, asyncio.TimeoutError):
    pass
made
