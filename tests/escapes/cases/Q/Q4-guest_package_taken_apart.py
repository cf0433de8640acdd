# about = "Code that takes its own side of the port apart has no session any more, and gets another one."
# also = ["subprocess"]
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 3000
import sys

names = [name for name in sys.modules if name.startswith(("pcm_guest", "pcm_pyodide", "pcm_wasm", "pcm_kernel"))]
for name in names:
    if name.endswith("interrupts"):
        continue
    module = sys.modules.pop(name)
before = len(names)
before > 0
