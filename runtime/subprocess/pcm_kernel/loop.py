"""The event loop of a kernel: with sockets, processes and threads, and the replies of the host."""

from __future__ import annotations

import asyncio
import selectors
import threading
from typing import Any, cast

from pcm_guest.loop import CallsLoop
from pcm_guest.port import Port

from pcm_kernel.port import SocketPort


class _Selector(selectors.DefaultSelector):
    """Does not wait when a reply is there that another thread, or a plain call, has received."""

    def __init__(self, loop: KernelLoop) -> None:
        super().__init__()
        self._kernel_loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if self._kernel_loop.take_early():
            timeout = 0
        return super().select(timeout)


class KernelLoop(CallsLoop, asyncio.SelectorEventLoop):
    """Awaits calls on the kernel's first thread. On others a call blocks its loop."""

    def __init__(self, port: Port, waiting: dict[int, asyncio.Future[bytes]]) -> None:
        asyncio.SelectorEventLoop.__init__(self, _Selector(self))
        self._port: SocketPort = cast(SocketPort, port)
        self._waiting = waiting
        self._is_first = threading.current_thread() is threading.main_thread()
        if self._is_first:
            self.add_reader(self._port.fileno(), self._arrived)

    def run_forever(self) -> None:
        if not self._is_first:
            super().run_forever()
            return
        outer, self._port.wake = self._port.wake, self._wake
        try:
            super().run_forever()
        finally:
            self._port.wake = outer

    def _wake(self) -> None:
        self.call_soon_threadsafe(self._arrived)

    def take_early(self) -> bool:
        """Whether a reply is there already, which is then delivered."""
        early = self._is_first and self._port.has_replies
        if early:
            self.call_soon(self._arrived)
        return early

    def submit(self, request: bytes) -> asyncio.Future[bytes]:
        if self._is_first:
            return super().submit(request)
        reply: asyncio.Future[bytes] = self.create_future()
        reply.set_result(self._port.call(request))
        return reply

    def _arrived(self) -> None:
        while (reply := self._port.poll(0)) is not None:
            self.deliver(*reply)
