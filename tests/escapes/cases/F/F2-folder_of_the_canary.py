# host = "workshop"
# about = "Where the host has its secret nothing can be made, moved or removed."
# also = ["container", "subprocess"]
# expect = "value:[]"
# expect_in.subprocess = 'value:["utime"]'
import os

path = tools.places()["folder"] + "/secret.txt"
beside = path + ".beside"
done = []
for name, use in {
    "write": lambda: open(beside, "x").close(),
    "folder": lambda: os.mkdir(beside),
    "rename": lambda: os.rename(path, beside),
    "remove": lambda: os.remove(path),
    "utime": lambda: os.utime(path),
    "truncate": lambda: os.truncate(path, 0),
}.items():
    try:
        use()
        done.append(name)
    except (OSError, NotImplementedError, AttributeError):
        pass
done
