# about = "An operation of V8 that nothing interrupts ends with its isolate, or is left behind."
# backends = ["deno-sandbox"]
# expect = ["kind:timeout", "kind:memory"]
# session = "reset"
# limits.timeout_ms = 500
# host_mib = 4096
import pcm_pyodide.session as session

Array = session._connected.host.constructor.getOwnPropertyNames(session._connected.host).constructor
Array.new(2**32 - 1).fill(0)
