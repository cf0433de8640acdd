# host = "workshop"
# mounts = true
# about = "What is protected stays so when the folder around it is moved away and back."
# expect = "value:[]"
import os

written = []
try:
    os.makedirs("/open/a/b")
    os.rename("/open/a", "/open/z")
    os.rename("/open/z", "/open/plain/a")
except OSError:
    pass
for source, target in (("/open/.git", "/open/git"), ("/open/.git/hooks", "/open/hooks"), ("/open/plain/a", "/open/.git"), ("/open/plain", "/open/.vscode")):
    try:
        os.rename(source, target)
        written.append([source, target])
    except OSError:
        pass
for path in ("/open/git/hooks/pre-commit", "/open/hooks/pre-commit", "/open/.git/hooks/post-commit", "/open/plain/link/hooks/pre-commit"):
    try:
        open(path, "w").write("evil")
        written.append(path)
    except OSError:
        pass
written
