# about = "Whatever can be listed and copied, nothing of the host is in it."
# expect = "value:[]"
# limits.timeout_ms = 60000
import glob
import os
import shutil

try:
    shutil.copytree("/", "/work/copy", ignore=lambda folder, names: [n for n in names if folder == "/" and n in ("work", "lib", "std", "packages", "dev")])
except (OSError, shutil.Error, RecursionError):
    pass
canary = os.path.basename(tools.places()["file"])
roots = ("etc", "root", "home", "proc", "sys", "usr", "var")
[path for path in glob.glob("/**", recursive=True) if canary in path or path.split("/")[1] in roots and "/python3" not in path][:5]
