# host = "workshop"
# mounts = true
# about = "Names that are no text, or mean something elsewhere, are refused or only names."
# expect = "value:0"
import os

names = [b"\xc3.txt", b"\xff\xfe", b"new\nline", b"CON", b"aux.txt", b".hidden", b"-rf", b"a:b", b"a\\b", b"\x1b[2J", b"con ", b"trailing.", "e\u0301".encode(), "\u202egnp".encode()]
escaped = 0
for folder in (b"/work/", b"/open/"):
    for name in names:
        try:
            with open(folder + name, "wb") as file:
                file.write(b"x")
            os.listdir(folder)
            os.remove(folder + name)
        except (OSError, ValueError, UnicodeError):
            pass
    escaped += any(b"secret" in entry for entry in os.listdir(folder))
escaped
