# about = "There is no memory that threads share, and with it no clock made of it."
# backends = ["deno-sandbox"]
# expect = "value:[]"
import pcm_pyodide.session as session

host = session._connected.host
found = []
for name in ("SharedArrayBuffer", "Atomics", "Worker", "MessageChannel", "BroadcastChannel"):
    try:
        made = getattr(__import__("js"), name)
        found.append(name)
    except (ImportError, AttributeError):
        pass
    if hasattr(host, name) or hasattr(host.constructor, name):
        found.append(name)
found
