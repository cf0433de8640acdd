# host = "workshop"
# mounts = true
# about = "Nor by another spelling of such a name that some file system takes for the same."
# expect = "value:[]"
import os

written = []
for name in (".GIT", ".Git", ".git.", ".git ", ".git. .", "git~1", "GIT~1", ".g\u200cit", ".git\u200b", ".gIt", ".git::$INDEX_ALLOCATION", ".BASHRC", ".ba\u017fhrc", ".bashrc:x", ".\uff47it"):
    for path in (f"/open/{name}/hooks/pre-commit", f"/open/{name}", f"/open/plain/{name}/config"):
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "w").write("evil")
        except (OSError, ValueError):
            continue
        # A name that no file system takes for a protected one may be written.
        if name != ".\uff47it":
            written.append(path)
written
