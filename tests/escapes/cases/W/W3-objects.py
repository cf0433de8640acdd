# about = "What an ended session left is not among the objects of another one."
# expect = "value:0"
pieces = [bytes([0x70, 0x6C, 0x61, 0x6E, 0x74, 0x65, 0x64, 0x21]), bytes(n ^ 0x5A for n in range(200, 208))]
pattern = pieces[0] + pieces[1]
hoard = [bytearray(pattern * 256) for _ in range(2048)]
hoard += [(pattern * 4).decode("latin-1") for _ in range(1000)]
print(pattern)
# ---- next session
import gc

suffix = [n ^ 0x5A for n in range(200, 208)]
found = 0
for thing in gc.get_objects():
    for inner in gc.get_referents(thing):
        if isinstance(inner, (bytes, bytearray)):
            at = inner.find(b"planted!")
            found += at >= 0 and list(inner[at + 8 : at + 16]) == suffix
        elif isinstance(inner, str):
            at = inner.find("planted!")
            found += at >= 0 and list(map(ord, inner[at + 8 : at + 16])) == suffix
found
