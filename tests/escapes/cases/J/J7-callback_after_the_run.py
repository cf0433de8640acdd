# about = "A function of Python that JavaScript keeps is not called when its run has ended."
# backends = ["deno-sandbox"]
# expect = "ok"
# session = ["kept", "reset"]
import pcm_pyodide.session as session
from pyodide.ffi import create_proxy

session._connected.host.constructor.prototype.later = create_proxy(lambda *_: tools.echo(text="late"))
