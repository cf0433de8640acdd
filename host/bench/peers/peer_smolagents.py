"""The local executor of smolagents: it walks the syntax tree of the code, in Python."""

import sys
from importlib.metadata import version
from typing import Any, ClassVar

from driver import BYTES, CALLS, Peer, serve
from smolagents.local_python_executor import LocalPythonExecutor

START = """
from smolagents.local_python_executor import LocalPythonExecutor
executor = LocalPythonExecutor([])
executor.send_tools({})
print(executor('1 + 1').output)
"""


class Smolagents(Peer):
    name = "smolagents"
    version = version("smolagents")
    notes: ClassVar[dict[str, str]] = {
        "fresh-session": "an object in the same interpreter",
        "agent-run": "in the same interpreter",
        "tool-call": "a call of a function",
    }
    calls = f"for i in range({CALLS}):\n    last = echo(a=i, text='hi')['a']\nlast"
    takes = "len(blob())"
    gives = f"'x' * {BYTES}"

    def __init__(self) -> None:
        self.blob = "x" * BYTES

    def open(self) -> Any:
        executor = LocalPythonExecutor(["json"])
        executor.send_tools({"echo": lambda **arguments: arguments, "blob": lambda: self.blob})
        return executor

    def run(self, session: Any, code: str) -> tuple[Any, str]:
        done = session(code)
        return done.output, done.logs

    def process(self) -> dict[str, Any]:
        return {"argv": [sys.executable, "-I", "-c", START], "input": "", "expect": "2"}


if __name__ == "__main__":
    serve(Smolagents())
