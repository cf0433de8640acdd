"""The event loops of a session, which await the host's replies."""

from __future__ import annotations

import asyncio
from asyncio import base_events, events, tasks
from builtins import KeyboardInterrupt
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from pcm_guest.port import Port

_T = TypeVar("_T")
_Reply = asyncio.Future[bytes]


class CallsLoop(base_events.BaseEventLoop):
    """A loop that can await calls of the host."""

    # Of the base class: what is to be called in the next round, and at some time.
    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _stopping: bool

    _port: Port
    _waiting: dict[int, _Reply]
    _ran = False

    def run_forever(self) -> None:
        self._ran = True
        super().run_forever()

    @property
    def has_callbacks(self) -> bool:
        """Whether anything is to be called soon."""
        return bool(self._ready)

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was done with this loop since the last `drop_callbacks`."""
        busy = self._ran or self._stopping or self._ready or self._scheduled
        return not (busy or self.is_closed())

    def drop_callbacks(self) -> None:
        """Forgets everything that was to be called soon or at some time."""
        for handle in (*self._ready, *self._scheduled):
            handle.cancel()
        self._ready.clear()
        self._scheduled.clear()
        self._timer_cancelled_count = 0
        self._stopping = False
        self._ran = False

    def __del__(self) -> None:
        """Nothing to warn of: the loop holds nothing that must be closed."""

    def submit(self, request: bytes) -> _Reply:
        """Sends a request; the future has its reply."""
        future: _Reply = self.create_future()
        self._waiting[self._port.submit(request)] = future
        return future

    def deliver(self, number: int, reply: bytes) -> None:
        """Hands a reply to whoever awaits it, on this loop or on one around it."""
        future = self._waiting.pop(number, None)
        if future is not None and not (future.done() or future.get_loop().is_closed()):
            future.set_result(reply)


class PortLoop(CallsLoop):
    """Waits for replies of the host and for timers. No threads, no sockets."""

    def __init__(self, port: Port, waiting: dict[int, _Reply]) -> None:
        super().__init__()
        self._port = port
        self._waiting = waiting
        self._selector = self  # the base class asks it for events

    def select(self, timeout: float | None) -> list[tuple[int, bytes]]:
        """The base class's wait: replies that arrived, after at most `timeout` seconds."""
        if timeout == 0 and not self._waiting:
            return []
        arrived = []
        reply = self._port.poll(timeout)
        while reply is not None:
            arrived.append(reply)
            reply = self._port.poll(0)
        return arrived

    def _process_events(self, event_list: list[tuple[int, bytes]]) -> None:
        for number, reply in event_list:
            self.deliver(number, reply)

    def _write_to_self(self) -> None:
        """Nobody else could wake this loop: there is one thread."""

    def run_in_executor(  # type: ignore[override]
        self, _executor: Any, func: Callable[..., _T], *args: Any
    ) -> asyncio.Future[_T]:
        """There are no threads: the function runs here and now."""
        future: asyncio.Future[_T] = self.create_future()
        try:
            future.set_result(func(*args))
        except StopIteration as error:
            future.set_exception(RuntimeError(f"{error!r} raised in an executor"))
        except Exception as error:
            future.set_exception(error)
        return future


def _of_events(name: str) -> Any:
    """Python 3.14 put an underscore before the names of what it means to remove."""
    return getattr(events, f"_{name}", None) or getattr(events, name)


_BasePolicy = _of_events("BaseDefaultEventLoopPolicy")
_set_policy = _of_events("set_event_loop_policy")


class LoopPolicy(_BasePolicy):  # type: ignore[misc, valid-type]
    """Makes `asyncio.run` and `asyncio.new_event_loop` give port loops."""

    def __init__(self, make: Callable[[], CallsLoop]) -> None:
        super().__init__()
        self._loop_factory = make

    def get_child_watcher(self) -> Any:
        """For interpreters that start programs, up to Python 3.13."""
        watcher: Any = vars(asyncio)["ThreadedChildWatcher"]
        return watcher()


MakeLoop = Callable[[Port, dict[int, _Reply]], CallsLoop]


class Loops:
    """The loops of a session. They share the table of waiting calls, so that an inner loop that
    receives the reply to a call of an outer one hands it over."""

    def __init__(self, port: Port, make: MakeLoop = PortLoop) -> None:
        self._port = port
        self._make = make
        self._waiting: dict[int, _Reply] = {}
        self._main = self.new()
        self._policy = LoopPolicy(self.new)
        self.context = Context()
        """What `contextvars` hold at top level; it lives as long as the session."""

    def install(self) -> None:
        """Makes asyncio use these loops, whatever earlier code did to it."""
        _set_policy(self._policy)
        self._policy.set_event_loop(self._main)

    def new(self) -> CallsLoop:
        return self._make(self._port, self._waiting)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Drives top-level code."""
        return _drive(self._main, work, self.context)

    def run_nested(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Drives a coroutine for a caller that cannot await, even from inside a running loop."""
        with OutsideOfLoop():
            loop = self.new()
            try:
                return _drive(loop, work)
            finally:
                try:
                    _end_tasks(loop)
                finally:
                    _abandon(loop)

    @property
    def are_settled(self) -> bool:
        """Whether there is nothing to `settle`."""
        return self._main.is_fresh and not self._waiting

    def settle(self) -> None:
        """Ends what a run left going: a run ends when its code ends."""
        settled = False
        try:
            settled = _end_tasks(self._main)
        finally:
            self._waiting.clear()
            if settled:
                self._main.drop_callbacks()
            else:
                self.renew()

    def renew(self) -> None:
        """Gives up the main loop and what runs in it."""
        events._set_running_loop(None)
        self._waiting.clear()
        _abandon(self._main)
        self._main = self.new()


def _drive(loop: CallsLoop, work: Coroutine[Any, Any, _T], context: Context | None = None) -> _T:
    # Not loop.create_task(): user code may have given the loop another factory.
    task = tasks.Task(work, loop=loop, context=context)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt:
        if not _interrupt(task):
            raise
    return loop.run_until_complete(task)


def _interrupt(task: asyncio.Task[Any]) -> bool:
    """Raises `KeyboardInterrupt` where the task waits, for its code to see; says whether it does.

    An interrupt arrives in the loop when no task runs.
    """
    waiter: asyncio.Future[Any] | None = task
    while isinstance(waiter, asyncio.Task):
        waiter = waiter._fut_waiter  # type: ignore[attr-defined]
    if waiter is None or waiter.done() or waiter.get_loop().is_running():
        return False
    waiter.set_exception(KeyboardInterrupt())
    return True


_ATTEMPTS = 3
_PATIENCE = 0.5
"""Seconds that cancelled tasks get to clean up before they are cancelled again, then abandoned."""


def _end_tasks(loop: CallsLoop) -> bool:
    """Cancels the tasks of a loop that does not run; says whether all have ended."""
    for _ in range(_ATTEMPTS):
        if loop.is_closed():
            return False
        rest = tasks.all_tasks(loop)
        if rest:
            for task in rest:
                task.cancel()
            done, _pending = _drive(loop, tasks.wait(rest, timeout=_PATIENCE))
            for task in done:
                if not task.cancelled():
                    task.exception()  # nobody else will ask, and asyncio would say so on stderr
        elif loop.has_callbacks:  # such as the closing of asynchronous generators
            _drive(loop, _some_rounds())
        else:
            return True
    return not tasks.all_tasks(loop)


async def _some_rounds() -> None:
    for _ in range(3):
        await tasks.sleep(0)


_abandoned: list[asyncio.Task[Any]] = []
"""Tasks that did not end. They are kept: to free one would be to run its code in a later run."""


def _abandon(loop: CallsLoop) -> None:
    _abandoned.extend(tasks.all_tasks(loop))
    if not loop.is_running():  # as one that was interrupted at the wrong moment says
        loop.close()


class OutsideOfLoop:
    """Lets another loop run in the middle of a task of a running one, if there is one."""

    def __enter__(self) -> None:
        self._outer = events._get_running_loop()
        self._task: asyncio.Task[Any] | None = None
        if self._outer is None:
            return
        self._task = tasks.current_task(self._outer)
        if self._task is not None:
            tasks._leave_task(self._outer, self._task)
        events._set_running_loop(None)

    def __exit__(self, *_error: object) -> None:
        events._set_running_loop(self._outer)
        if self._outer is not None and self._task is not None:
            tasks._enter_task(self._outer, self._task)
