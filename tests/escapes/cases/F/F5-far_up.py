# about = "However far up a path leads, it stays within the sandbox."
# expect = "value:0"
import os

path = tools.places()["file"]
read = 0
for base in ("/work", "/tmp", "/packages", "."):
    for up in (1, 2, 5, 50, 500):
        try:
            read += len(open(base + "/.." * up + path).read())
        except OSError:
            pass
read
