# about = "Pyodide's installer fetches nothing without a network."
# backends = ["deno-sandbox"]
# expect = ["error:ModuleNotFoundError", "error:ImportError", "error:OSError", "error:JsException"]
import micropip

await micropip.install(f"http://127.0.0.1:{tools.places()['port']}/evil-1.0-py3-none-any.whl")
