# about = "Buffers of JavaScript are bounded together."
# backends = ["deno-sandbox"]
# expect = ["error:JsException", "error:RangeError", "error:MemoryError", "kind:memory", "kind:crashed", "error:InternalError"]
# session = ["kept", "reset"]
# host_mib = 1000
from pyodide.ffi import to_js

part = bytes(32 * 2**20)
held = [to_js(part) for _ in range(20)]
len(held)
