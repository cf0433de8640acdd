# about = "A folder cannot be moved into itself, nor deep into another beyond the bound."
# expect = "value:[]"
import os

moved = []
os.makedirs("/work/x/y/z")
for target in ("/work/x/y/z/x", "/work/x/x", "/work/x/y/../y/x"):
    try:
        os.rename("/work/x", target)
        moved.append(target)
    except OSError:
        pass
moved
