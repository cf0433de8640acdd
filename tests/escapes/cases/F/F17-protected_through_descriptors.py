# host = "workshop"
# mounts = true
# about = "Nor through the descriptor of a folder, or from within it."
# expect = "value:[]"
import os

written = []
for folder in ("/open/.git", "/open/.git/hooks", "/open"):
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        continue
    for name in ("pre-commit", "hooks/pre-commit", "hooks/new", "new", ".git/new", ".bashrc"):
        try:
            made = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, dir_fd=descriptor)
            os.write(made, b"evil")
            written.append([folder, name])
        except (OSError, NotImplementedError, TypeError):
            pass
try:
    os.chdir("/open/.git/hooks")
    open("pre-commit", "w").write("evil")
    written.append("chdir")
except OSError:
    pass
os.chdir("/work")
# These two are names as any other, in a folder that is to be written.
[what for what in written if what not in (["/open", "new"], ["/open", "pre-commit"])]
