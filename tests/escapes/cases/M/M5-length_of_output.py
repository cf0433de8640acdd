# about = "Output that claims two gigabytes is not believed."
# expect = ["kind:crashed", "error:OverflowError"]
# session = ["reset"]
# backends = ["wasm"]
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


import _pcm_host

_pcm_host.emit(1, forged(10**6, id(bytes), 2**31 - 1, -1))
