# about = "A flood of lines is cut at its limit, and costs the host no more than that."
# also = ["subprocess"]
# expect = ["ok", "kind:timeout", "kind:output"]
# session = ["kept", "reset"]
# host_mib = 64
# limits.timeout_ms = 2000
import sys

while True:
    sys.stdout.write("y\n")
