# about = "The functions of Emscripten that run scripts run none."
# backends = ["deno-sandbox"]
# expect = "kind:crashed"
# session = "reset"
import ctypes

ctypes.CDLL(None).emscripten_run_script(b"globalThis.planted = 1")
