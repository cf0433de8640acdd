# about = "There is nothing to run JavaScript with."
# backends = ["deno-sandbox"]
# expect = ["error:ImportError", "error:ModuleNotFoundError"]
from pyodide.code import run_js

run_js("1 + 1")
