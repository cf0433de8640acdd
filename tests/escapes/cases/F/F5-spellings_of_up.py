# host = "workshop"
# mounts = true
# about = "No spelling of the folder above leads out of a mounted folder."
# expect = "value:[]"
import os

found = []
above = ["..", "../", "..//", "./..", "plain/../..", "up", "up/.", "%2e%2e", "..;", "\u2025", "\uff0e\uff0e", ".. ", "...", "..\\", "\\.."]
for base in ("/open", "/closed", "/open/plain"):
    for up in above:
        for path in (f"{base}/{up}/secret.txt", f"{base}/{up}/{up}/secret.txt", f"{base}/{up}/base/tools/show.yaml"):
            try:
                open(path).read()
                found.append(path)
            except OSError:
                pass
found
