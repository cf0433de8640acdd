# about = "JavaScript has nothing that reaches a network, and Python none of its ways to it."
# backends = ["deno-sandbox"]
# expect = "value:[]"
import asyncio

port = tools.places()["port"]
found = []
for name in ("fetch", "XMLHttpRequest", "WebSocket", "EventSource", "importScripts", "Worker", "navigator", "WebTransport"):
    try:
        module = __import__("js")
        getattr(module, name)
        found.append(name)
    except (ImportError, AttributeError):
        pass
for way in ("pyfetch", "open_url"):
    try:
        http = __import__("pyodide.http", fromlist=[way])
        answer = getattr(http, way)(f"http://127.0.0.1:{port}/")
        if asyncio.iscoroutine(answer):
            await answer
        found.append(way)
    except Exception:
        pass
found
