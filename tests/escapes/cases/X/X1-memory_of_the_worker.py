# about = "It is not in the memory of the sandbox, as far as that can be read."
# backends = ["wasm", "deno-sandbox"]
# expect = ["value:0", "error:ModuleNotFoundError", "kind:crashed"]
# session = ["kept", "reset"]
# limits.timeout_ms = 60000
import ctypes

# The mark is put together only where it is searched for, so that it does not find itself.
mark = bytes([0x63 ^ 1 ^ 1, 0x61, 0x6E, 0x61, 0x72, 0x79, 0x2D])
found = 0
size = 16 * 2**20
for start in range(1024, size, 2**20):
    part = ctypes.string_at(start, min(2**20, size - start))
    at = part.find(mark)
    while at >= 0:
        digits = part[at + 7 : at + 39]
        found += len(digits) == 32 and all(c in b"0123456789abcdef" for c in digits)
        at = part.find(mark, at + 1)
found
