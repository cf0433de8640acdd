# about = "What is registered for the end of Python does not keep the host from ending the session."
# also = ["subprocess"]
# expect = "value:1"
import atexit
import time


def forever():
    while True:
        time.sleep(1)


atexit.register(forever)
1
