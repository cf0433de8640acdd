# about = "Text of an error that cannot be put together ends nothing."
# backends = ["deno-sandbox"]
# expect = "ok"
# session = ["kept", "reset"]
from pcm_pyodide import session

Object = session._connected.host.constructor
try:
    Object.defineProperty(1, "x", None)
except BaseException as raised:
    error = raised
Error = Object.getPrototypeOf(error).constructor
hostile = Error.new("hi")
descriptor = Object.new()
descriptor.get = Object.getPrototypeOf("x").repeat.bind("x", 2**29 - 30)
Object.defineProperty(hostile, "message", descriptor)
str(hostile.stack)[:100]
