import hashlib, hmac
[hashlib.new(name, b"data").hexdigest()[:16] for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b", "blake2s")] + [hmac.new(b"key", b"message", hashlib.sha256).hexdigest()[:16]]
