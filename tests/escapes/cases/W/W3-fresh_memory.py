# about = "What an ended session left is not in the memory that another one is given."
# expect = "value:0"
pieces = [bytes([0x70, 0x6C, 0x61, 0x6E, 0x74, 0x65, 0x64, 0x21]), bytes(n ^ 0x5A for n in range(200, 208))]
pattern = pieces[0] + pieces[1]
hoard = [bytearray(pattern * 256) for _ in range(2048)]
hoard += [(pattern * 4).decode("latin-1") for _ in range(1000)]
print(pattern)
# ---- next session
suffix = [n ^ 0x5A for n in range(200, 208)]


def planted(block):
    """How often the pattern stands in a block; it is never put together here."""
    found, at = 0, block.find(b"planted!")
    while at >= 0:
        found += list(block[at + 8 : at + 16]) == suffix
        at = block.find(b"planted!", at + 1)
    return found


import array
import io

found = sum(planted(bytearray(2**12)) for _ in range(2000))
found += planted(bytearray(2**25)) + planted(bytes(2**25))
stream = io.BytesIO()
stream.truncate(2**20)
stream.seek(2**20)
stream.write(b"x")
found += planted(stream.getvalue()) + planted(array.array("B", bytes(2**20)).tobytes())
found
