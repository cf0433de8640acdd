# about = "What a run leaves to JavaScript is done in its own time, or ends with it."
# backends = ["deno-sandbox"]
# expect = ["ok", "kind:timeout"]
# session = ["kept", "reset"]
# limits.timeout_ms = 1000
from pcm_pyodide import session
from pyodide.ffi import create_proxy

Array = session._connected.host.constructor.getOwnPropertyNames(session._connected.host).constructor


def later(*_):
    while True:
        pass


Array.fromAsync(Array.of(1), create_proxy(later))
"ended"
