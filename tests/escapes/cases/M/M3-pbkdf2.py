# about = "A key of two gigabytes is not derived."
# expect = ["error:MemoryError", "error:OverflowError", "error:ValueError", "error:AttributeError"]
# limits.timeout_ms = 5000
import hashlib

hashlib.pbkdf2_hmac("sha256", b"", b"", 1, 2**31 - 1)
