# about = "Hooks for exceptions that never end do not keep the run alive."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import sys


def forever(*what):
    while True:
        pass


sys.excepthook = sys.unraisablehook = forever
while True:
    pass
