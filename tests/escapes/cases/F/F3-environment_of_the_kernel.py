# about = "A kernel or a container has no variable of the host, its own or of another process."
# backends = ["subprocess", "container"]
# expect = "value:[]"
import glob
import os

name = tools.places()["variable"]
found = [name] if name in os.environ else []
for path in glob.glob("/proc/[0-9]*/environ") + ["/proc/self/environ"]:
    try:
        if name.encode() in open(path, "rb").read():
            found.append(path)
    except OSError:
        pass
found
