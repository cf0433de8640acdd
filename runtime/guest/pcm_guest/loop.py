"""The event loop of a session: its only source of events is the port."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import base_events, events
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context
from typing import Any, TypeVar

from pcm_guest.port import Port

_T = TypeVar("_T")
_Reply = asyncio.Future[bytes]


class PortLoop(base_events.BaseEventLoop):
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
            future = self._waiting.pop(number, None)
            if future is not None and not future.done():
                future.set_result(reply)

    def _write_to_self(self) -> None:
        """Nobody else could wake this loop: there is one thread."""

    def submit(self, request: bytes) -> _Reply:
        """Sends a request; the future has its reply."""
        future: _Reply = self.create_future()
        self._waiting[self._port.submit(request)] = future
        return future

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


# Python 3.14 put an underscore before the name; the class is the same.
_BasePolicy: Any = getattr(events, "BaseDefaultEventLoopPolicy", None) or getattr(
    events, "_BaseDefaultEventLoopPolicy", None
)


class LoopPolicy(_BasePolicy):  # type: ignore[misc]
    """Makes `asyncio.run` and `asyncio.new_event_loop` give port loops."""

    def __init__(self, make: Callable[[], PortLoop]) -> None:
        super().__init__()
        self._loop_factory = make


class Loops:
    """The loops of a session. They share the table of waiting calls, so that an inner loop that
    receives the reply to a call of an outer one hands it over."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._waiting: dict[int, _Reply] = {}
        self._main = self.new()
        self.context = Context()
        """What `contextvars` hold at top level; it lives as long as the session."""

    def install(self) -> None:
        """Makes asyncio use these loops. Once per interpreter."""
        asyncio.set_event_loop_policy(LoopPolicy(self.new))
        asyncio.set_event_loop(self._main)

    def new(self) -> PortLoop:
        return PortLoop(self._port, self._waiting)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Drives top-level code, then cancels what it left running: a run ends when its code ends."""
        if self._main.is_closed():
            self._main = self.new()
            asyncio.set_event_loop(self._main)
        task = self._main.create_task(work, context=self.context)
        try:
            return self._main.run_until_complete(task)
        finally:
            self._cancel_rest()

    def run_nested(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Drives a coroutine for a caller that cannot await, even from inside a running loop."""
        with _no_running_loop():
            loop = self.new()
            try:
                return loop.run_until_complete(work)
            finally:
                loop.close()

    def _cancel_rest(self) -> None:
        rest = asyncio.all_tasks(self._main)
        if rest:
            for task in rest:
                task.cancel()
            self._main.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        self._waiting.clear()


@contextlib.contextmanager
def _no_running_loop() -> Iterator[None]:
    outer = events._get_running_loop()
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(outer)
