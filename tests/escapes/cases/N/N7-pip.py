# about = "There is no pip that would fetch anything past the host."
# expect = "value:[]"
import importlib
import runpy
import sys

ran = []
for name in ("pip", "ensurepip", "uv", "easy_install"):
    argv, sys.argv = sys.argv, [name, "install", "--index-url", f"http://127.0.0.1:{tools.places()['port']}/", "evil"]
    try:
        runpy.run_module(name, run_name="__main__")
        ran.append(name)
    except (Exception, SystemExit):
        pass
    finally:
        sys.argv = argv
ran
