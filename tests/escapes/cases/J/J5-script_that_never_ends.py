# about = "An endless loop of JavaScript does not begin."
# backends = ["deno-sandbox"]
# expect = "kind:crashed"
# session = "reset"
import ctypes

ctypes.CDLL(None).emscripten_run_script(b"while (1) {}")
