"""How a run is interrupted: by `KeyboardInterrupt`, in user code and never in the evaluator's own.

The wall sends the interpreter a SIGINT, real or made up, or looks at `allowed` and raises the
exception by itself. User code may catch it, as it may under any Python; a wall that means it stops
the interpreter a little later.
"""

from __future__ import annotations

from _signal import SIGINT, getsignal, signal  # type: ignore[import-not-found]
from builtins import KeyboardInterrupt
from contextlib import suppress


class Interrupts:
    """Lets interrupts through while user code runs, and keeps them back otherwise."""

    def __init__(self) -> None:
        self.allowed = False
        """Whether interrupts are let through now. It is set to false without a call: for one there
        may be no memory, and an interrupt may come with any."""
        self.pending = False
        """Whether one was kept back."""
        self._busy = False
        self._handler = self._handle

    def _handle(self, _number: int, _frame: object) -> None:
        if self.allowed and not self._busy:
            raise KeyboardInterrupt
        self.pending = True

    def begin(self) -> None:
        """Before a run: whatever was meant for an earlier one is forgotten."""
        self.pending = False
        self.listen()

    def listen(self) -> None:
        """Makes the signal of an interrupt arrive here."""
        if getsignal(SIGINT) is not self._handler:  # as at first, or after user code changed it
            with suppress(ValueError):  # not the main thread: such a wall raises it by itself
                signal(SIGINT, self._handler)

    def allow(self) -> None:
        """Raises what was kept back, and lets through what comes."""
        self.allowed = True
        if self.pending:
            self.pending = False
            raise KeyboardInterrupt

    def __enter__(self) -> None:
        """Keeps back what comes while something is done that must not end halfway."""
        self._busy = True

    def __exit__(self, *_error: object) -> None:
        self._busy = False
        if self.pending and self.allowed:
            self.allow()
