# about = "The canary's file cannot be opened in any way."
# expect = "value:0"
import os

path = tools.places()["file"]
opened = 0
for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR | os.O_TRUNC, os.O_RDWR | os.O_CREAT):
    for name in (path, "." + path, "../../../../.." + path, path + "/.", "//" + path, path[1:]):
        try:
            os.open(name, flags)
            opened += 1
        except OSError:
            pass
opened
