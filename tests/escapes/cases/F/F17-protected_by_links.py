# host = "workshop"
# mounts = true
# about = "Nor through a link to it, which the host has in the folder or the code makes."
# expect = "value:[]"
import os

written = []
try:
    os.chmod("/open/plain/link/hooks/pre-commit", 0o777)  # whatever it says: the host looks at the file
except (OSError, NotImplementedError):
    pass
try:
    os.symlink(".git", "/open/mine")
    os.symlink("../.bashrc", "/open/plain/rc")
except (OSError, NotImplementedError):
    pass
for path in ("/open/plain/link/hooks/pre-commit", "/open/plain/link/config", "/open/mine/hooks/pre-commit", "/open/plain/rc"):
    for use in (
        lambda: open(path, "w").write("evil"),
        lambda: os.remove(path),
        lambda: os.truncate(path, 0),
        lambda: os.rename("/open/note.txt", path),
    ):
        try:
            use()
            written.append(path)
        except (OSError, NotImplementedError):
            pass
# The link itself is the code's own.
[path for path in written if path != "/open/plain/rc"]
