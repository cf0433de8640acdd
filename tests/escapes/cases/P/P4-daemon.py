# about = "A process that leaves its group and its parent ends with the session all the same."
# backends = ["subprocess", "container"]
# expect = "value:true"
# limits.timeout_ms = 10000
import os

read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(write, b"x")
        # The runner looks for it by this number when the session has ended.
        os.execvp("sleep", ["sleep", "3141.59"])
    os._exit(0)
os.wait()
os.read(read, 1) == b"x"
