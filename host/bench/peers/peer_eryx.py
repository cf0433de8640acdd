"""pyeryx: CPython under wasmtime in this process, by its binding for Python."""

import contextlib
import sys
from typing import Any, ClassVar

import eryx
from driver import BYTES, CALLS, Peer, serve

START = "import eryx; print(eryx.Session().execute('result = 1 + 1').result)"


class Eryx(Peer):
    name = "pyeryx"
    version = eryx.__version__
    notes: ClassVar[dict[str, str]] = {
        "checkpoint": "its variables, pickled",
        "roll-back": "its variables, pickled",
    }
    trivial = "result = 1 + 1"
    calls = f"for i in range({CALLS}): last = await echo(a=i, text='hi')\nresult = last['a']"
    gathered = (
        "import asyncio\n"
        f"all = await asyncio.gather(*[echo(a=i, text='hi') for i in range({CALLS})])\n"
        "result = len(all)"
    )
    takes = "result = len(await blob())"
    gives = f"result = 'x' * {BYTES}"
    has_programs = True

    def __init__(self) -> None:
        self.blob = "x" * BYTES
        self.saved = b""

    def open(self) -> Any:
        return eryx.Session(
            callbacks=[
                {"name": "echo", "fn": self.echo, "description": "Gives its arguments back"},
                {"name": "blob", "fn": lambda: self.blob, "description": "Gives a megabyte"},
            ]
        )

    def echo(self, a: int, text: str) -> dict[str, Any]:
        return {"a": a, "text": text}

    def run(self, session: Any, code: str) -> tuple[Any, str]:
        done = session.execute(code)
        return done.result, done.stdout_text

    def reset(self, session: Any) -> None:
        session.reset()

    def open_for(self, deadline: float) -> Any:
        session = self.open()
        session.execution_timeout_ms = int(deadline * 1000)
        return session

    def stopped(self, session: Any, code: str) -> None:
        with contextlib.suppress(eryx.TimeoutError):
            session.execute(code)

    def checkpoint(self, session: Any) -> None:
        self.saved = session.snapshot_state()

    def roll_back(self, session: Any) -> None:
        session.restore_state(self.saved)

    def process(self) -> dict[str, Any]:
        return {"argv": [sys.executable, "-I", "-c", START], "input": "", "expect": "2"}

    def scenarios(self) -> list[str]:
        return [*super().scenarios(), "throughput"]


if __name__ == "__main__":
    serve(Eryx())
