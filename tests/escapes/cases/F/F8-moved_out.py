# host = "workshop"
# mounts = true
# about = "Nothing is moved out of the sandbox, or between what is mounted and what is not to be written."
# expect = "value:[]"
import os

moved = []
open("/open/mine", "w").write("mine")
for source in ("/open/mine", "/closed/note.txt", "/open/plain"):
    for target in ("/open/../moved", "/open/up/moved", "/closed/moved", "/closed/note.txt", "/../moved", "/open/.git/moved", "/open/.git/hooks/pre-commit", "/open/.bashrc"):
        for move in (os.rename, os.replace):
            if source == target:
                continue  # that moves nothing
            try:
                move(source, target)
                moved.append([source, target])
            except (OSError, NotImplementedError):
                pass
moved
