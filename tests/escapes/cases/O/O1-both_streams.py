# about = "Both streams at once have one limit each and no more."
# expect = ["ok", "kind:output", "error:OSError"]
# host_mib = 64
# limits.timeout_ms = 20000
import sys

for _ in range(100):
    sys.stdout.write("o" * 10**6)
    sys.stderr.write("e" * 10**6)
    sys.stdout.flush()
