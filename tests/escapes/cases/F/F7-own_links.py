# host = "workshop"
# mounts = true
# about = "A symbolic link that the code makes leads nowhere outside."
# expect = "value:[]"
import os

found = []
targets = ["../secret.txt", "../../secret.txt", tools.places()["file"], "/etc/passwd", "..", "/", "../base/tools", "/proc/self/root", "up/secret.txt"]
for number, target in enumerate(targets):
    for folder in ("/open", "/work", "/tmp", "/open/plain"):
        link = f"{folder}/link{number}"
        try:
            os.symlink(target, link)
        except (OSError, NotImplementedError):
            continue
        for path in (link, f"{link}/secret.txt", f"{link}/show.yaml", f"{link}/etc/passwd"):
            try:
                text = open(path).read()
            except OSError:
                continue
            found.append([target, path, text[:20]])
found
