# about = "A script whose value is asked for is not run."
# backends = ["deno-sandbox"]
# expect = "kind:crashed"
# session = "reset"
import ctypes

ctypes.CDLL(None).emscripten_run_script_int(b"40 + 2")
