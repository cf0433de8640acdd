"""The machine's own Python, without any wall: what there is to lose."""

import ast
import contextlib
import io
import subprocess
import sys
from types import CodeType
from typing import Any, ClassVar

from driver import BYTES, CALLS, Peer, serve

IMPORTED = """
import sys, time
begin = time.perf_counter()
exec(sys.argv[1])
print(time.perf_counter() - begin)
"""


class Native(Peer):
    name = "CPython"
    version = sys.version.split(" ")[0]
    notes: ClassVar[dict[str, str]] = {
        "fresh-session": "a dict in the same interpreter",
        "agent-run": "in the same interpreter",
        "tool-call": "a call of a function",
        "memory-10": "a dict in the same interpreter",
        "memory-100": "a dict in the same interpreter",
    }
    calls = f"for i in range({CALLS}): last = echo(a=i, text='hi')['a']\nlast"
    takes = "len(blob())"
    gives = f"'x' * {BYTES}"
    has_programs = True

    def __init__(self) -> None:
        self.blob = "x" * BYTES

    def open(self) -> dict[str, Any]:
        # The programs declare annotated names at the top level.
        return {
            "__name__": "__main__",
            "__annotations__": {},
            "echo": lambda **arguments: arguments,
            "blob": lambda: self.blob,
        }

    def run(self, session: dict[str, Any], code: str) -> tuple[Any, str]:
        body, last = split(code)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(body, session)
            value = eval(last, session) if last else None
        return value, printed.getvalue()

    def reset(self, session: dict[str, Any]) -> None:
        session.clear()
        session.update(self.open())

    def process(self) -> dict[str, Any]:
        return {"argv": [sys.executable, "-I", "-c", "print(1 + 1)"], "input": "", "expect": "2"}

    def imported(self, code: str) -> float:
        command = [sys.executable, "-I", "-c", IMPORTED, code]
        return float(subprocess.run(command, capture_output=True, check=True).stdout)


def split(code: str) -> tuple[CodeType, CodeType | None]:
    """The code without its last expression, and that."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    compiled = compile(ast.Expression(last.value), "<code>", "eval") if last else None  # type: ignore[attr-defined]
    return compile(tree, "<code>", "exec"), compiled


if __name__ == "__main__":
    serve(Native())
