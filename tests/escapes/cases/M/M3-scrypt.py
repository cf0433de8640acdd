# about = "Scrypt with gigabytes of memory is refused, or not there."
# expect = ["error:MemoryError", "error:ValueError", "error:OverflowError", "error:AttributeError"]
# limits.timeout_ms = 5000
import hashlib

hashlib.scrypt(b"", salt=b"", n=2**20, r=2**10, p=1, maxmem=2**31 - 1)
