# about = "An operation of V8 that nothing interrupts uses no more processor time than it may, and a grace."
# backends = ["deno-sandbox"]
# expect = ["limit:cpu", "kind:memory", "kind:timeout"]
# session = "reset"
# limits.cpu_ms = 300
# host_mib = 4096
import pcm_pyodide.session as session

Array = session._connected.host.constructor.getOwnPropertyNames(session._connected.host).constructor
Array.new(2**32 - 1).fill(0)
