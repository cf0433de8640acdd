# about = "Folders in folders are bounded in depth, and going through them takes no stack of the host."
# expect = "ok"
import os

made = 0
try:
    for _ in range(5000):
        os.mkdir("a")
        os.chdir("a")
        made += 1
except OSError:
    pass
os.chdir("/work")
try:
    deepest = max((folder.count("/") for folder, _, _ in os.walk("/work")), default=0)
except RecursionError:
    deepest = 0
assert made < 5000, made
