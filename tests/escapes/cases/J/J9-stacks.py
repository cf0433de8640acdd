# about = "The stack of an exception of JavaScript has no path of the host."
# backends = ["deno-sandbox"]
# expect = "value:[]"
import pcm_pyodide.session as session
from pyodide.ffi import JsException

told = []
for work in (lambda: session._connected.host.call("x", "y"), lambda: session._connected.host.call.constructor("x")):
    try:
        work()
    except JsException as error:
        told.append(str(getattr(error, "stack", "")) + str(error) + repr(error))
[text for text in told if "/home" in text or "/root" in text or "file:" in text or ".cargo" in text]
