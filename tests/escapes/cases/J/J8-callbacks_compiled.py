# about = "Functions that are compiled again and again are bounded in time and memory."
# backends = ["deno-sandbox"]
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 2000
# host_mib = 1024
import ctypes

kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)
hoard = [kind(lambda x: x) for _ in range(100_000)]
