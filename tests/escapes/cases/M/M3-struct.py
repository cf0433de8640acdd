# about = "A structure of two gigabytes."
# expect = ["error:error", "error:MemoryError", "error:OverflowError"]
import struct

struct.pack("2147483647s", b"")
