# about = "Text does not become a function, whichever constructor is asked."
# backends = ["deno-sandbox"]
# expect = "value:0"
import pcm_pyodide.session as session
from pyodide.ffi import JsException

host = session._connected.host
made = 0
for function in (host.call, host.constructor, host.call.bind):
    for source in ("return this", "return globalThis", "return import('node:fs')", "while (1) {}"):
        for make in (lambda: function.constructor(source), lambda: function.constructor.new(source)):
            try:
                made += make() is not None
            except (JsException, TypeError):
                pass
made
