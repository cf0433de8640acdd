# about = "A hundred names of one large file do not make the host hold it a hundred times."
# expect = "ok"
# host_mib = 200
import os

with open("/work/large", "wb") as file:
    for _ in range(32):
        file.write(b"x" * 2**20)
for number in range(100):
    for make in ("symlink", "link"):
        try:
            getattr(os, make)("/work/large", f"/work/{make}{number}")
        except (OSError, AttributeError, NotImplementedError):
            pass
