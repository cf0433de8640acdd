# about = "So does one of a run that was stopped the hard way."
# backends = ["subprocess"]
# expect = "kind:timeout"
# session = ["reset"]
# limits.timeout_ms = 1500
import os
import signal

span = tools.places()["span"]
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", span])
    os._exit(0)
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
