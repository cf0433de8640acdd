# about = "Sessions that run at the same time do not see each other's files."
# sessions = 3
# also = ["subprocess"]
# expect = "value:1"
import os
import tempfile
import time

folder = tempfile.gettempdir()
open(os.path.join(folder, f"mark-{os.urandom(8).hex()}"), "w").write("x")
time.sleep(0.5)
len([name for name in os.listdir(folder) if name.startswith("mark-")])
