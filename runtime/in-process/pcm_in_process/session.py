"""One session: the evaluator with parts of its own, on the thread that runs it."""

from __future__ import annotations

import builtins
import functools
import gc
import sys
from asyncio import events
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

from pcm_guest import Guest, rehearsal
from pcm_guest.evaluate import Parts
from pcm_guest.interpreter import Interpreter
from pcm_guest.interrupts import Interrupts
from pcm_guest.loop import Loops, _BasePolicy, _of_events
from pcm_guest.streams import Streams

from pcm_in_process import belonging, shared
from pcm_in_process.belonging import Belongings, here


class SharedStreams(Streams):
    """The two output streams of all sessions: they lead to whichever session writes, so that a
    handler of `logging` which one session made is of use to all."""

    def install(self) -> None:
        super().install()
        shared.defaults.update(
            stdout=self._stdout,
            stderr=self._stderr,
            __stdout__=self._stdout,
            __stderr__=self._stderr,
        )


class OwnInterpreter(Interpreter):
    """The interpreter as one of its sessions sees it."""

    def __init__(self, belongings: Belongings, names: dict[str, Any]) -> None:
        super().__init__(names, shared.own_builtins(builtins))
        self._belongings = belongings
        belongings.main = self._main

    def take_over(self) -> None:
        """Everything is in its place since the process began to have sessions."""

    def restore_modules(self) -> None:
        self._modules["__main__"] = shared.main_module
        if sys.modules is not self._modules:
            sys.modules = self._modules

    def grant_recursion(self, limit: int) -> None:
        self._belongings.recursion_granted = limit
        shared.set_recursion_limit(self._belongings.recursion_limit)


class AsynchronousInterrupts(Interrupts):
    """Interrupts that the host raises in the thread, having looked at `allowed`."""

    def listen(self) -> None:
        """Signals are the host's."""


class ThreadPolicy(_BasePolicy):  # type: ignore[misc]
    """Gives the thread of a session the loops of the session, and every other thread plain ones."""

    def __init__(self) -> None:
        super().__init__()
        self._plain = _of_events("get_event_loop_policy")()

    def new_event_loop(self) -> Any:
        make = here.session.make_loop if here.session is not None and here.own else None
        return self._plain.new_event_loop() if make is None else make()


_streams = SharedStreams(shared.ThreadPort())  # type: ignore[arg-type]
_policy = ThreadPolicy()


class Session:
    """What the host calls."""

    def __init__(
        self, functions: dict[str, Callable[..., Any]], packages: str | None, own_folder: bool
    ) -> None:
        port: Any = SimpleNamespace(**functions)
        here.session = self._belongings = Belongings(port, ModuleType("__main__"), own_folder)
        here.own = True
        self._packages = packages
        self.interrupts = AsynchronousInterrupts()
        interpreter = functools.partial(OwnInterpreter, self._belongings)
        parts = Parts(_streams, self.interrupts, interpreter)
        self._guest = Guest(port, parts=parts)
        loops: Loops = self._guest._loops
        loops._policy = _policy
        self._belongings.make_loop = loops.new
        self._guest.install()
        if packages is not None:
            shared.add_packages(packages)
        self.run = self._guest.run

    def packages_changed(self) -> None:
        """Makes imports look again."""
        shared.packages_changed()

    def leave(self) -> None:
        """Drops what the session holds. Its thread is about to end."""
        if self._packages is not None:
            shared.remove_packages(self._packages)
        self._guest.forget()
        self._guest._loops._main.close()
        events.set_event_loop(None)
        self._belongings.lines.clear()
        here.session, here.own = None, False
        belonging.forget_thread()


def prepare() -> None:
    """Once per process: what the first session would wait for."""
    rehearsal.import_common_modules()
    host = rehearsal.RehearsalHost()
    functions = {name: getattr(host, name) for name in ("call", "submit", "poll", "emit")}
    session = Session({**functions, "run": lambda: 1}, None, False)
    rehearsal.rehearse(session._guest)
    session.leave()
    gc.collect()
    gc.freeze()
