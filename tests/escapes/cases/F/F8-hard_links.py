# host = "workshop"
# mounts = true
# about = "A hard link to a file outside, or to one that is protected, cannot be made."
# expect = "value:[]"
import os

made = []
for target in ("/open/leak", "/open/up/secret.txt", tools.places()["file"], "/open/.bashrc", "/open/.git/hooks/pre-commit", "/closed/note.txt", "/std/os.py"):
    for link in ("/open/hard", "/work/hard", "/open/.git/hard", "/closed/hard"):
        try:
            os.link(target, link)
            made.append([target, link])
            os.remove(link)
        except (OSError, NotImplementedError, AttributeError):
            pass
made
