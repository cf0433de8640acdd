"""What CPython itself says of programs: `[[name, source], ...]` on standard input, what came of
each as JSON on standard output.

Each runs in a process of its own, with the rule of the sandbox: the value is that of the last
expression.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import linecache
import os
import resource
import signal
import sys
import tempfile
import types
import warnings

SECONDS = 10
MEMORY = 1 << 30


def evaluate(source: str) -> object:
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    linecache.cache["<program>"] = (len(source), None, source.splitlines(True), "<program>")
    tree = ast.parse(source, "<program>")
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    for part, mode in ((tree, "exec"), (last, "eval")):
        if part is None:
            continue
        code = compile(part, "<program>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        value = eval(code, vars(module))
        if code.co_flags & inspect.CO_COROUTINE:
            value = asyncio.run(value)
        if mode == "eval":
            return value
    return None


def observe(source: str) -> dict[str, object]:
    stdout, value, error = io.StringIO(), None, None
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(io.StringIO()):
        try:
            value = repr(evaluate(source))
        except SystemExit as stopped:
            error = None if not stopped.code else "SystemExit"
        except BaseException as raised:
            error = type(raised).__name__
    text = stdout.getvalue().encode("utf-8", "replace").decode()
    return {"value": value, "stdout": text, "error": error}


def in_child(source: str) -> dict[str, object] | None:
    """None where the process ended before it could tell, or took too long."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        signal.alarm(SECONDS)
        os.chdir(tempfile.mkdtemp(dir=os.environ["PCM_REFERENCE_FOLDER"]))
        sys.stdin = io.StringIO()
        told = json.dumps(observe(source)).encode()
        while told:
            told = told[os.write(writer, told) :]
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as stream:
        told = stream.read()
    os.waitpid(child, 0)
    return json.loads(told) if told else None


def main() -> None:
    programs = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PCM_REFERENCE_FOLDER"] = folder
        seen = [[name, in_child(source)] for name, source in programs]
    json.dump({"version": list(sys.version_info[:3]), "programs": seen}, sys.stdout)


main()
