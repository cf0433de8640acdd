# about = "A poisoned prototype of functions breaks no fence."
# backends = ["deno-sandbox"]
# expect = "any"
# session = ["kept", "reset"]
import pcm_pyodide.session as session

prototype = session._connected.host.call.constructor.prototype
for name in ("call", "apply", "bind"):
    setattr(prototype, name, session._connected.host.end)
tools.echo(text="x")
