# about = "There is no module that leads to JavaScript."
# backends = ["deno-sandbox"]
# expect = "value:[]"
import importlib

found = []
for name in ("js", "pyodide_js", "pyodide_js._api", "js.Deno"):
    try:
        found.append(str(importlib.import_module(name)))
    except ImportError:
        pass
found
