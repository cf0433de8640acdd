# about = "Another session's files are not to be found."
# also = ["container", "subprocess"]
# expect = "value:[]"
import os

for folder in ("/tmp", "/work", "/var/tmp", "/dev/shm", "/home", os.getcwd(), os.path.expanduser("~")):
    try:
        open(os.path.join(folder, "left_by_the_first"), "w").write("left")
    except OSError:
        pass
# ---- next session
import os

found = []
for folder in ("/tmp", "/work", "/var/tmp", "/dev/shm", "/home", "..", "../..", os.getcwd(), os.path.expanduser("~"), "/packages"):
    try:
        found += [name for name in os.listdir(folder) if "left_by" in name]
    except OSError:
        pass
found
