"""Digests: C code of `hashlib` over blocks small and large, and the calls around it."""

import hashlib

block = bytes(range(256)) * 4_096
total = hashlib.sha256()
for _ in range(10):
    total.update(block)
chain = b"begin"
for _ in range(24_000):
    chain = hashlib.sha256(chain).digest()
print(total.hexdigest()[:16], chain.hex()[:16])
