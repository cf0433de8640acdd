# about = "A profile function that never ends is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import sys


def profile(*what):
    while True:
        pass


sys.setprofile(profile)
len("")
