# about = "The functions of the host can be called for ever, until the run has to stop."
# backends = ["deno-sandbox"]
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 500
import pcm_pyodide.session as session

while True:
    session._connected.host.sleep(0)
