# about = "A profile function that loops is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import sys


def profile(*what):
    sys.setprofile(profile)


sys.setprofile(profile)
while True:
    len("")
