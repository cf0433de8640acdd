"""pydantic-monty: an interpreter of its own for a part of Python, in worker processes."""

import sys
from typing import Any, ClassVar

import pydantic_monty
from driver import BYTES, CALLS, Peer, serve
from pydantic_monty import CollectString, Monty

START = """
from pydantic_monty import Monty
with Monty() as pool, pool.checkout() as session:
    print(session.feed_run('1 + 1'))
"""
POOL = "a worker of its pool that waits"


class MontyPeer(Peer):
    name = "pydantic-monty"
    version = pydantic_monty.__version__
    notes: ClassVar[dict[str, str]] = {
        "fresh-session": POOL,
        "pooled-checkout": POOL,
        "agent-run": POOL,
    }
    calls = f"for i in range({CALLS}): last = echo(a=i, text='hi')['a']\nlast"
    takes = "len(blob())"
    gives = f"'x' * {BYTES}"
    has_programs = True

    def __init__(self) -> None:
        self.blob = "x" * BYTES
        self.lookup = {"echo": lambda **arguments: arguments, "blob": lambda: self.blob}
        self.pool = Monty(min_processes=2, max_processes=128).__enter__()
        self.saved = b""

    def open(self) -> Any:
        return self.checkout()

    def checkout(self, **limits: float) -> Any:
        # Unless told otherwise it allows a session fewer calls than are made here.
        return self.pool.checkout(limits={"max_suspensions": 100_000_000, **limits}).__enter__()

    def open_for(self, deadline: float) -> Any:
        return self.checkout(max_feed_duration_secs=deadline)

    def close(self, session: Any) -> None:
        session.__exit__(None, None, None)

    def run(self, session: Any, code: str) -> tuple[Any, str]:
        printed = CollectString()
        value = session.feed_run(code, external_lookup=self.lookup, print_callback=printed)
        return value, printed.output

    def stopped(self, session: Any, code: str) -> None:
        try:
            session.feed_run(code)
        except pydantic_monty.MontyError as error:
            if "time" not in str(error).lower():
                raise

    def checkpoint(self, session: Any) -> None:
        self.saved = session.dump()

    def process(self) -> dict[str, Any]:
        return {"argv": [sys.executable, "-I", "-c", START], "input": "", "expect": "2"}

    def scenarios(self) -> list[str]:
        return [*super().scenarios(), "throughput"]


if __name__ == "__main__":
    serve(MontyPeer())
