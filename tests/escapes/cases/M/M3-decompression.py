# about = "Compressed data that unpacks to more than there is."
# expect = "error:MemoryError"
# limits.memory_bytes = 67_108_864
import zlib

packer = zlib.compressobj()
bomb = b"".join(packer.compress(bytes(10**6)) for _ in range(100)) + packer.flush()
zlib.decompress(bomb)
