# about = "The key of a kernel is its own, and opens no other kernel."
# backends = ["subprocess"]
# expect = "value:0"
import glob
import os

from ipykernel.connect import get_connection_file

own = os.path.realpath(get_connection_file())
folder = os.path.dirname(os.path.dirname(own))
others = 0
for path in glob.glob(folder + "/**/*.json", recursive=True) + glob.glob("/tmp/**/kernel*.json", recursive=True) + glob.glob("/run/user/*/jupyter/*"):
    if os.path.realpath(path) == own:
        continue
    try:
        others += "key" in open(path).read()
    except OSError:
        pass
others
