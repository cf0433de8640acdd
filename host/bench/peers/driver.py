"""What the drivers of all peers that are Python libraries share: the loop and the lines of JSON.

A driver reads one request a line from standard input and writes one reply a line to standard
output. It does what `host/bench/src/driver` does for the backends: the same scenarios, the same
checks, and a clock of its own, so that no pipe is in any figure. A peer is a subclass of `Peer`.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

CALLS = 100
BYTES = 1 << 20
DEADLINE = 0.05
THROUGHPUT = 0.4  # seconds


class Peer:
    """One library. Without a method, it does not take part in the scenario of that name."""

    name = ""
    version = ""
    #: What a reader has to know of a scenario, by its key.
    notes: ClassVar[dict[str, str]] = {}
    #: Whether a machine can be made to hold a hundred sessions.
    holds_many = True
    #: Code that makes `CALLS` calls one after the other, and all at once.
    calls = ""
    gathered = ""
    #: Code that takes a text of a megabyte from the host, and gives its length; and the other way.
    takes = ""
    gives = ""
    trivial = "1 + 1"
    #: The scenarios beyond those that follow from the methods.
    has_programs = False

    def open(self) -> Any:
        """A session that has run nothing."""
        raise NotImplementedError

    def close(self, session: Any) -> None:
        """Ends it."""

    def run(self, session: Any, code: str) -> tuple[Any, str]:
        """The value of the last expression, and what was printed."""
        raise NotImplementedError

    def process(self) -> dict[str, Any] | None:
        """The command whose first result is waited for, what it reads, and a part of that."""
        return None

    def imported(self, code: str) -> float | None:
        """Seconds that imports take where nothing is imported; None measures them in a session."""
        return None

    def scenarios(self) -> list[str]:
        """All that this peer takes part in."""
        found = ["fresh-session", "trivial-run", "agent-run", "memory-1", "memory-10"]
        for name, has in (
            ("memory-100", self.holds_many),
            ("process-start", self.process() is not None),
            ("pooled-checkout", hasattr(self, "checkout")),
            ("tool-call", self.calls),
            ("tool-gather", self.gathered),
            ("data-in", self.takes),
            ("data-out", self.gives),
            ("timeout", hasattr(self, "open_for")),
            ("reset", hasattr(self, "reset")),
            ("checkpoint", hasattr(self, "checkpoint")),
            ("roll-back", hasattr(self, "roll_back")),
            ("imports", self.has_programs),
            ("programs", self.has_programs),
        ):
            if has:
                found.append(name)
        return found


class Measuring:
    """One scenario of one peer, from its beginning to its end."""

    def __init__(self, peer: Peer, request: dict[str, Any]) -> None:
        self.peer = peer
        self.scenario: str = request["scenario"]
        self.text: list[str] = request["text"]
        self.sessions: list[Any] = []
        self.output: str | None = None
        kind = "program" if self.scenario.startswith("cpu-") else self.scenario
        kind = "throughput" if kind.startswith("throughput-") else kind
        name = kind.replace("-", "_")
        self.measure: Callable[[], float] | None = getattr(self, name, None)
        if kind == "throughput":
            self.hold(int(self.scenario.split("-")[1]))
        elif kind in ("checkpoint", "roll-back"):
            peer.run(self.standing(), self.text[0])
            if kind == "roll-back":
                peer.checkpoint(self.standing())  # type: ignore[attr-defined]

    def batch(self, count: int) -> list[float]:
        if self.measure is None:
            raise RuntimeError(f"this driver does not know the scenario {self.scenario}")
        return [self.measure() for _ in range(count)]

    def hold(self, count: int) -> None:
        """Opens sessions until there are so many, each of which has run."""
        while len(self.sessions) < count:
            session = self.peer.open()
            self.peer.run(session, self.peer.trivial)
            self.sessions.append(session)

    def end(self) -> None:
        for session in self.sessions:
            self.peer.close(session)
        self.sessions = []

    def standing(self) -> Any:
        self.hold(1)
        return self.sessions[0]

    # What follows is named as the scenarios are. -------------------------------------------------

    def first(self, opened: Callable[[], Any]) -> float:
        begin = time.perf_counter()
        session = opened()
        value, _ = self.peer.run(session, self.peer.trivial)
        took = time.perf_counter() - begin
        self.peer.close(session)
        expect(value, 2)
        return took

    def fresh_session(self) -> float:
        return self.first(self.peer.open)

    def pooled_checkout(self) -> float:
        return self.first(self.peer.checkout)  # type: ignore[attr-defined]

    def timed(self, code: str, expected: Any) -> float:
        session = self.standing()
        begin = time.perf_counter()
        value, _ = self.peer.run(session, code)
        took = time.perf_counter() - begin
        if expected is not None:
            expect(value, expected)
        return took

    def trivial_run(self) -> float:
        return self.timed(self.peer.trivial, 2)

    def tool_call(self) -> float:
        return self.timed(self.peer.calls, CALLS - 1) / CALLS

    def tool_gather(self) -> float:
        return self.timed(self.peer.gathered, CALLS) / CALLS

    def data_in(self) -> float:
        return self.timed(self.peer.takes, BYTES)

    def data_out(self) -> float:
        session = self.standing()
        begin = time.perf_counter()
        value, _ = self.peer.run(session, self.peer.gives)
        took = time.perf_counter() - begin
        expect(len(value), BYTES)
        return took

    def agent_run(self) -> float:
        begin = time.perf_counter()
        session = self.peer.open()
        printed = "".join(self.peer.run(session, block)[1] for block in self.text)
        took = time.perf_counter() - begin
        self.peer.close(session)
        self.output = printed
        return took

    def program(self) -> float:
        session = self.standing()
        begin = time.perf_counter()
        _, self.output = self.peer.run(session, self.text[0])
        return time.perf_counter() - begin

    def imports(self) -> float:
        took = self.peer.imported(self.text[0])
        if took is not None:
            return took
        session = self.peer.open()
        self.peer.run(session, self.peer.trivial)
        begin = time.perf_counter()
        self.peer.run(session, self.text[0])
        took = time.perf_counter() - begin
        self.peer.close(session)
        return took

    def timeout(self) -> float:
        peer: Any = self.peer
        session = peer.open_for(DEADLINE)
        peer.run(session, peer.trivial)
        begin = time.perf_counter()
        peer.stopped(session, "while True: pass")
        late = time.perf_counter() - begin - DEADLINE
        peer.close(session)
        expect(late >= 0, True)
        return late

    def reset(self) -> float:
        session = self.standing()
        begin = time.perf_counter()
        self.peer.reset(session)  # type: ignore[attr-defined]
        value, _ = self.peer.run(session, self.peer.trivial)
        took = time.perf_counter() - begin
        expect(value, 2)
        return took

    def checkpoint(self) -> float:
        session = self.standing()
        begin = time.perf_counter()
        self.peer.checkpoint(session)  # type: ignore[attr-defined]
        return time.perf_counter() - begin

    def roll_back(self) -> float:
        session = self.standing()
        begin = time.perf_counter()
        self.peer.roll_back(session)  # type: ignore[attr-defined]
        value, _ = self.peer.run(session, self.peer.trivial)
        took = time.perf_counter() - begin
        expect(value, 2)
        return took

    def throughput(self) -> float:
        """Runs a second of all sessions, on as many threads as there are cores, or on one."""
        threads = 1 if self.scenario.endswith("one-thread") else os.cpu_count() or 1
        begin = time.perf_counter()

        def work(mine: Sequence[Any]) -> int:
            runs = 0
            while mine and time.perf_counter() - begin < THROUGHPUT:
                self.peer.run(mine[runs % len(mine)], self.peer.trivial)
                runs += 1
            return runs

        shares = [self.sessions[number::threads] for number in range(threads)]
        with ThreadPoolExecutor(threads) as pool:
            runs = sum(done.result() for done in [pool.submit(work, share) for share in shares])
        return runs / (time.perf_counter() - begin)


def expect(value: Any, expected: Any) -> None:
    if value != expected:
        raise RuntimeError(f"the value is {str(value)[:80]}, not {str(expected)[:80]}")


def answer(peer: Peer, measuring: Measuring | None, request: dict[str, Any]) -> dict[str, Any]:
    what = request["do"]
    if what == "hello":
        return {
            "hello": {
                "name": peer.name,
                "version": peer.version,
                "about": {"python": sys.version.split(" ")[0]},
                "scenarios": peer.scenarios(),
                "notes": peer.notes,
                "process": peer.process(),
            }
        }
    if measuring is None:
        raise RuntimeError(f"{what} before begin")
    if what == "batch":
        samples = measuring.batch(request["count"])
        return {"samples": samples, "output": measuring.output}
    if what == "hold":
        measuring.hold(request["count"])
    elif what == "end":
        measuring.end()
    return {}


def serve(peer: Peer) -> None:
    """Answers requests until there are no more."""
    # The protocol has the real standard output to itself, whatever a library prints.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    measuring: Measuring | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "begin":
                measuring = Measuring(peer, request)
                reply: dict[str, Any] = {}
            else:
                reply = answer(peer, measuring, request)
        except Exception as error:  # whatever a peer raises is its result
            reply = {"error": f"{type(error).__name__}: {error}"[:2000]}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
    if measuring:
        measuring.end()
