# about = "Compressed data that asks for a dictionary of four gigabytes."
# expect = ["error:MemoryError", "error:LZMAError"]
import lzma

header = bytes([0x5D]) + (2**32 - 1).to_bytes(4, "little") + bytes([0xFF]) * 8
lzma.decompress(header + bytes(100), format=lzma.FORMAT_ALONE)
