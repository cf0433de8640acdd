# about = "Nor do tracebacks, code objects and modules."
# expect = "value:[]"
import json
import sys
import traceback

told = []
texts = [str(getattr(module, "__file__", "")) + str(getattr(module, "__cached__", "")) for module in list(sys.modules.values())]
try:
    json.loads("{")
except ValueError:
    texts.append(traceback.format_exc())
try:
    tools.fail(message="x")
except Exception:
    texts.append(traceback.format_exc())
texts += [str(sys.path), sys.executable or "", sys.prefix, sys.exec_prefix, str(sys.version), str(sys.flags), str(getattr(sys, "_git", ""))]
for text in texts:
    for word in ("/root/", "/home/", "/Users/", "target/debug", ".cargo", "python-wasm/"):
        if word in text:
            told.append([word, text[-200:]])
told[:3]
