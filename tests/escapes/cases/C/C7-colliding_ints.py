# about = "A dict of numbers with one hash is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import sys

{n * sys.hash_info.modulus: n for n in range(10**6)}
