# about = "Nor are there sockets of another kind that lead out of the sandbox."
# also = ["subprocess", "container"]
# expect = "value:[]"
import socket

made = []
for family, kind, address in (
    ("AF_INET", "SOCK_RAW", ("127.0.0.1", 1)),
    ("AF_PACKET", "SOCK_RAW", ("lo", 0)),
    ("AF_BLUETOOTH", "SOCK_RAW", (0,)),
    ("AF_CAN", "SOCK_RAW", ("lo",)),
    ("AF_TIPC", "SOCK_RDM", (1, 1, 1, 1, 1)),
    ("AF_VSOCK", "SOCK_STREAM", (2, 1024)),
    ("AF_ALG", "SOCK_SEQPACKET", ("hash", "sha256")),
):
    try:
        made_one = socket.socket(getattr(socket, family), getattr(socket, kind))
        made_one.settimeout(2)
        if family in ("AF_PACKET", "AF_ALG", "AF_CAN", "AF_TIPC", "AF_BLUETOOTH"):
            made_one.bind(address)
        else:
            made_one.connect(address)
        made.append(family)
    except (OSError, AttributeError, TypeError, ValueError):
        pass
made
