# about = "A guest that overwrites all of its memory harms nobody but its session."
# backends = ["deno-sandbox"]
# expect = ["kind:crashed", "kind:memory", "kind:timeout"]
# session = "reset"
import ctypes

ctypes.memset(4096, 0xAA, 30_000_000)
