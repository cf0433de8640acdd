# about = "A path with a zero in it is refused before anything is opened."
# also = ["subprocess"]
# expect = "value:6"
import os

file = tools.places()["file"]
refused = 0
for use in (
    lambda: open("/work/a\0/../.." + file),
    lambda: open(file + "\0.txt"),
    lambda: os.listdir("/work\0/.."),
    lambda: os.rename("/work\0", "/x"),
    lambda: os.mkdir("a\0b"),
    lambda: os.stat(b"/work\0" + file.encode()),
):
    try:
        use()
    except ValueError:
        refused += 1
refused
