# about = "Code that replaces what the session is made of has lied to itself; the next run and the host go on."
# also = ["subprocess"]
# expect = "any"
# session = ["kept", "reset"]
import ast
import builtins
import json
import sys


def lie(*args, **kwargs):
    return {"value": "lie"}


kept = {name: getattr(builtins, name) for name in ("print", "repr", "compile", "exec", "eval")}
try:
    json.dumps = json.loads = ast.parse = lie
    builtins.print = lie
    tools = artifacts = workflows = deps = lie
    # Put back before the end: what follows is to be run by the session itself.
finally:
    import importlib

    importlib.reload(json)
    importlib.reload(ast)
    for name, value in kept.items():
        setattr(builtins, name, value)
    del tools, artifacts, workflows, deps
