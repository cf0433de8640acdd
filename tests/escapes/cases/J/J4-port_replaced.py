# about = "Whoever replaces the functions of the port has them replaced for itself."
# backends = ["deno-sandbox"]
# expect = ["ok", "kind:crashed", "kind:exception", "error:AttributeError", "error:TypeError"]
# session = ["kept", "reset"]
import pcm_pyodide.session as session

host = session._connected.host
for name in ("begin", "call", "submit", "poll", "take", "emit", "sleep", "end"):
    setattr(host, name, print)
tools.echo(text="x")
