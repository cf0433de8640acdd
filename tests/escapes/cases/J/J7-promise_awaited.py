# about = "A promise that nobody settles does not hold the run."
# backends = ["deno-sandbox"]
# expect = ["kind:timeout", "error:RuntimeError", "error:TypeError", "error:AttributeError"]
# session = ["kept", "reset"]
# limits.timeout_ms = 500
from pyodide.ffi import create_once_callable, run_sync, to_js

promise = to_js([1], depth=1).constructor
run_sync(promise)
