# about = "Links that lead to each other are an error and no loop."
# expect = "value:0"
import os

for one, other in (("/work/a", "/work/b"), ("/work/b", "/work/a"), ("/work/c", "/work/c"), ("/work/d", "/work/d/d")):
    try:
        os.symlink(other, one)
    except (OSError, NotImplementedError):
        pass
opened = 0
for path in ("/work/a", "/work/b", "/work/c", "/work/d", "/work/a/b/c"):
    try:
        open(path)
        opened += 1
    except OSError:
        pass
opened
