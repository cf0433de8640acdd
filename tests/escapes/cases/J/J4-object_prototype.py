# about = "Names that are planted on every object change nothing for the calls of the session."
# backends = ["deno-sandbox"]
# expect = "value:[5, \"x\\n\"]"
import pcm_pyodide.session as session

prototype = session._connected.host.constructor.prototype
for name in ("ok", "value", "types", "length", "then", "at", "get", "set"):
    try:
        setattr(prototype, name, 13)
    except AttributeError:
        pass
[tools.math.add(a=2, b=3), tools.echo(text="x")]
