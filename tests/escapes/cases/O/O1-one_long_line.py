# about = "A line of a hundred megabytes is cut as well."
# expect = ["ok", "kind:output", "error:MemoryError", "error:OSError"]
# host_mib = 200
import sys

sys.stdout.write("x" * 10**8)
