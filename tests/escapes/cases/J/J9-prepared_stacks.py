# about = "Nobody is asked to prepare a stack, and gets the objects on it."
# backends = ["deno-sandbox"]
# expect = "value:[]"
from pcm_pyodide import session
from pyodide.ffi import create_proxy

seen = []
Object = session._connected.host.constructor
try:
    Object.defineProperty(1, "x", None)
except BaseException as raised:
    error = raised
Error = Object.getPrototypeOf(error).constructor
while Object.getPrototypeOf(Error) is not None and Error.name != "Error":
    Error = Object.getPrototypeOf(Error)
Error.prepareStackTrace = create_proxy(lambda error, sites: seen.append(str(sites)))
str(Error.new("x").stack)
seen
