# about = "A pointer to nowhere harms nobody but its session."
# backends = ["deno-sandbox"]
# expect = "kind:crashed"
# session = "reset"
import ctypes

ctypes.string_at(0xFFFF_FFF0, 1000)
