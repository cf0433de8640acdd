# about = "What an ended session left is nowhere in the memory of another one, which reads all of it."
# expect = "value:[0, true]"
# backends = ["wasm"]
pieces = [bytes([0x70, 0x6C, 0x61, 0x6E, 0x74, 0x65, 0x64, 0x21]), bytes(n ^ 0x5A for n in range(200, 208))]
pattern = pieces[0] + pieces[1]
hoard = [bytearray(pattern * 256) for _ in range(2048)]
hoard += [(pattern * 4).decode("latin-1") for _ in range(1000)]
print(pattern)
# ---- next session
import dis
import types

kept = []


def slot_of(value):
    """Where the bytes of a bytes object begin: after count, type, length and hash."""
    return id(value) + 16


def forged(*words):
    """What the interpreter takes for an object when it finds these words in memory."""
    body = b"".join((word % 2**32).to_bytes(4, "little") for word in words)
    pointer = slot_of(body).to_bytes(4, "little")
    constants = ()
    index = (slot_of(pointer) - id(constants) - 12) // 4 % 2**30
    load = [index >> 24 & 255, index >> 16 & 255, index >> 8 & 255, index & 255]
    code = b""
    for part in load[:3]:
        code += bytes([dis.opmap["EXTENDED_ARG"], part])
    code += bytes([dis.opmap["LOAD_CONST"], load[3], dis.opmap["RETURN_VALUE"], 0])
    function = types.FunctionType((lambda: 0).__code__.replace(co_code=code, co_consts=constants), {})
    kept.append((body, pointer, function))
    return function()


suffix = [n ^ 0x5A for n in range(200, 208)]
own = b"own" + b"mark"
size = 31 << 20  # Python starts with 32 MiB
memory = memoryview(forged(10**6, id(bytearray), size, size, 1024, 1024, 0))
found, marks = 0, 0
for start in range(0, len(memory) - 2**16, 2**16):
    block = bytes(memory[start : start + 2**16 + 16])
    at = block.find(b"planted!")
    while at >= 0:
        found += list(block[at + 8 : at + 16]) == suffix
        at = block.find(b"planted!", at + 1)
    marks += block.count(own)
[found, marks > 0]
