# host = "workshop"
# mounts = true
# about = "A symbolic link that the host has in a mounted folder is not followed out of it."
# expect = "value:[]"
import os

found = []
for path in ("/open/leak", "/closed/leak", "/open/up/secret.txt", "/open/up/base/tools/show.yaml"):
    for use in (
        lambda: open(path).read(),
        lambda: os.stat(path),
        lambda: os.truncate(path, 0),
        lambda: open(path, "a").close(),
        lambda: os.listdir(path.rpartition("/")[0]) if path.count("up") else 1 / 0,
    ):
        try:
            found.append(str(use()))
        except (OSError, ZeroDivisionError, NotImplementedError):
            pass
[text for text in found if "note.txt" not in text]
