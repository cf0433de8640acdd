# about = "The global object that a function of JavaScript would give has nothing of the host."
# backends = ["deno-sandbox"]
# expect = "value:[]"
import pcm_pyodide.session as session

host = session._connected.host
Object = host.constructor
found = []
for thing in (host, host.call, Object, Object.prototype, Object.constructor):
    for name in ("Deno", "process", "require", "importScripts", "fetch", "XMLHttpRequest", "WebSocket", "__bootstrap"):
        if hasattr(thing, name):
            found.append(name)
found
