# about = "Loading the modules of sockets again gives no other ones."
# expect = "value:[]"
import importlib
import sys

port = tools.places()["port"]
made = []
for _ in range(2):
    for name in [name for name in sys.modules if name.split(".")[0] in ("socket", "_socket", "ssl", "_ssl", "select", "asyncio", "selectors", "http", "urllib")]:
        if name != "asyncio" and not name.startswith("asyncio."):
            sys.modules.pop(name)
    for name in ("_socket", "socket"):
        try:
            module = importlib.import_module(name)
            module = importlib.reload(module)
            made_one = module.socket(module.AF_INET, module.SOCK_STREAM)
            made_one.connect(("127.0.0.1", port))
            made.append(name)
        except (OSError, ImportError, AttributeError, TypeError):
            pass
made
