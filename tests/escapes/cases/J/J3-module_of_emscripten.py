# about = "The objects that Python can reach lead to no file system of the host."
# backends = ["deno-sandbox"]
# expect = "value:[]"
import gc

from pyodide.ffi import JsProxy

found = []
for thing in gc.get_objects():
    if isinstance(thing, JsProxy):
        for name in ("FS", "NODEFS", "ENV", "_api", "_module", "wasmMemory"):
            if hasattr(thing, name):
                found.append(name)
found
