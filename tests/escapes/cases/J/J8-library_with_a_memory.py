# about = "A library that brings a memory of its own is not loaded."
# backends = ["deno-sandbox"]
# expect = "error:OSError"
import ctypes

HEAD = b"\0asm\x01\0\0\0"
DYLINK = bytes([0, 15, 8]) + b"dylink.0" + bytes([1, 4, 0, 0, 0, 0])
MEMORY = bytes([5, 6, 1, 1, 1, 0x80, 0x80, 4])
open("/work/large.so", "wb").write(HEAD + DYLINK + MEMORY)
ctypes.CDLL("/work/large.so")
