# about = "Arrays that outgrow the heap of JavaScript end their isolate, not the process."
# backends = ["deno-sandbox"]
# expect = ["kind:timeout", "kind:memory"]
# session = "reset"
# limits.timeout_ms = 2000
# host_mib = 4096
import pcm_pyodide.session as session

Array = session._connected.host.constructor.getOwnPropertyNames(session._connected.host).constructor
hoard = []
while True:
    hoard.append(Array.new(10_000_000).fill(1))
