# about = "A trace function that catches what stops the code does not keep it alive."
# expect = "kind:timeout"
# session = ["reset"]
# limits.timeout_ms = 300
import sys


def trace(*what):
    return trace


sys.settrace(trace)
while True:
    try:
        while True:
            pass
    except BaseException:
        sys.settrace(trace)
