# about = "There are no functions for debugging and no inspector."
# backends = ["deno-sandbox"]
# expect = "value:0"
import pcm_pyodide.session as session
from pyodide.ffi import JsException

found = 0
for source in ("%DebugPrint(1)", "%GetOptimizationStatus(f)", "gc()", "debugger"):
    try:
        session._connected.host.call.constructor(source)
        found += 1
    except JsException:
        pass
found
