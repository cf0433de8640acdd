# about = "So it is with whatever address."
# backends = ["deno-sandbox", "subprocess", "container"]
# expect = ["ok", "kind:crashed", "error:MemoryError", "error:OverflowError", "error:ValueError", "error:OSError"]
# session = ["kept", "reset"]
import ctypes

for address in (1, 2**20, 2**31, 2**32 - 1, 2**47, 2**63, 2**64 - 1):
    try:
        ctypes.memset(address, 0x41, 4096)
    except (OverflowError, ValueError, MemoryError):
        pass
