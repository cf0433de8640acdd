# about = "A process that leaves its group and its parent ends with the session all the same."
# backends = ["subprocess", "container"]
# expect = "value:true"
# limits.timeout_ms = 10000
import os

span = tools.places()["span"]  # by which the runner looks for it when the session has ended
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(write, b"x")
        os.execvp("sleep", ["sleep", span])
    os._exit(0)
os.wait()
os.read(read, 1) == b"x"
