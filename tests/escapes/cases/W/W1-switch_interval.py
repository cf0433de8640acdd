# about = "The interval between threads changes nothing."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import sys

sys.setswitchinterval(10**9)
while True:
    pass
