# about = "A script that would tell what there is is not run."
# backends = ["deno-sandbox"]
# expect = "kind:crashed"
# session = "reset"
import ctypes

run = ctypes.CDLL(None).emscripten_run_script_string
run.restype = ctypes.c_char_p
run(b"Object.keys(globalThis).join()")
