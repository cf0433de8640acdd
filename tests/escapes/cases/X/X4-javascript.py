# about = "What one session leaves in its JavaScript is not in another's."
# backends = ["deno-sandbox"]
# expect = "value:[]"
import pcm_pyodide.session as session

Object = session._connected.host.constructor
Object.prototype.leftBehind = 1
try:
    Object.leftBehindToo = 1
except AttributeError:
    pass
# ---- next session
import pcm_pyodide.session as session

host = session._connected.host
[name for name in ("leftBehind", "leftBehindToo") for thing in (host, host.constructor) if hasattr(thing, name)]
