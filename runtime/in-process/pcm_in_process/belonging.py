"""Whose a thread is.

A session's own thread belongs to it for ever. A thread that code starts belongs to the run in which
it was started: what it writes after that run has no reader.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, Protocol


class NativePort(Protocol):
    """The functions of the host, for one session (runtime/in-process/src/port.rs).

    Those that wait let other threads run, and end with `KeyboardInterrupt` if the run has to stop.
    """

    call: Callable[[bytes], bytes]
    submit: Callable[[bytes], int]
    poll: Callable[[float | None], tuple[int, bytes] | None]
    emit: Callable[[int, bytes], None]
    sleep: Callable[[float], None]
    run: Callable[[], int]
    """The number of the run that the calling thread belongs to; 0 for one whose run is over."""
    adopt: Callable[[int], None]
    """Makes the calling thread one of a run."""


class Belongings:
    """What a session has of its own of what Python has one of."""

    def __init__(self, port: NativePort, main: ModuleType, own_folder: bool) -> None:
        self.port = port
        self.own_folder = own_folder
        """Whether the threads of the session have a working folder of their own."""
        self.main = main
        self.streams: dict[str, Any] = {}
        """By their names in `sys`."""
        self.lines: dict[str, Any] = {}
        """The source lines of its runs, as `linecache` keeps them."""
        self.recursion_limit = self.recursion_granted = 1000
        self.make_loop: Callable[[], Any] | None = None


class _Here(_thread._local):
    """The calling thread."""

    session: Belongings | None = None
    own = False
    """Whether it is the session's own thread, not one that its code started."""


here = _Here()


def _adopting(start: Callable[..., Any]) -> Callable[..., Any]:
    """A function that starts a thread, which belongs to the run of the thread that starts it."""

    def start_adopted(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        session = here.session
        if session is None:
            return start(function, *args, **options)
        run = session.port.run()

        def adopted(*values: Any, **named: Any) -> Any:
            here.session = session
            session.port.adopt(run)
            return function(*values, **named)

        return start(adopted, *args, **options)

    start_adopted.__name__ = getattr(start, "__name__", "start_new_thread")
    return start_adopted


_STARTS = ("start_new_thread", "start_new", "start_joinable_thread")


def install() -> None:
    """Makes threads belong to sessions. Once per process."""
    for name in _STARTS:
        start = getattr(_thread, name, None)
        if start is None:
            continue
        adopting = _adopting(start)
        setattr(_thread, name, adopting)
        if hasattr(threading, f"_{name}"):  # bound when it was imported
            setattr(threading, f"_{name}", adopting)


def forget_thread() -> None:
    """Drops what `threading` made up for the calling thread, which is about to end."""
    ident = _thread.get_ident()
    known = threading._active  # type: ignore[attr-defined]
    if isinstance(known.get(ident), threading._DummyThread):
        del known[ident]
