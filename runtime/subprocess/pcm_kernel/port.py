"""The port of `pcm_guest`, over a socket to the host.

A frame is a header and its content. The header has what it is, the run that it belongs to, a number
(that of a call, or the channel of output), and the length of the content.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from time import monotonic
from typing import Any

from pcm_guest.port import DISPLAY, STDERR, STDOUT, OutputLimitError

_HEADER = struct.Struct("<BIII")
_HELLO, _BEGUN, _CALL, _TOO_LONG, _EMIT, _OUTCOME = range(1, 7)
_PIECE = 1 << 16
_RESERVE = 4 << 20
_LONGEST_OUTPUT = 1 << 20
"""Longer output goes in several frames."""


class SocketPort:
    """Any thread may use it. Of those that wait for replies, one reads for all."""

    def __init__(self, host: socket.socket) -> None:
        self._socket = host
        self._first = threading.get_ident()
        self.guard: AbstractContextManager[None] = nullcontext()
        """Keeps interrupts back while a frame is under way: half of one would end the session."""
        self._readable = select.poll()
        self._readable.register(host, select.POLLIN)
        self._inbox = bytearray()
        self._sending = threading.RLock()
        self._reading = threading.Lock()
        self._is_copy = False
        self._last = 0
        self._calls: dict[int, bytes | None] = {}
        """Those that somebody waits for, with their replies."""
        self._submitted: deque[tuple[int, bytes]] = deque()
        """Replies that somebody will ask for."""
        self._run = 0
        self._reserve = b""
        """Given up when a run ends, to tell its outcome where the code has used all memory."""
        self._output_left = 0
        self._longest = 0
        self.wake: Callable[[], object] = lambda: None
        """Told when another thread than the first one has received a reply to a submitted call."""

    def install(self) -> None:
        """Has threads know what run has started them, and copies of this process what they are."""
        start = threading.Thread.start

        def marked(thread: Any) -> None:
            thread._pcm_run = _run_of_thread(self._run)
            start(thread)

        threading.Thread.start = marked  # type: ignore[assignment, method-assign]
        os.register_at_fork(after_in_child=self._leave)

    def _leave(self) -> None:
        """In a copy of the process, which must not speak for it."""
        self._is_copy = True
        self._sending = threading.RLock()
        self._socket.close()

    def hello(self) -> None:
        """Says that the kernel is ready."""
        self._send(_HELLO, 0, 0, b"")

    def begin(self, run: int, output_bytes: int, frame_bytes: int) -> None:
        """A run begins. Threads that earlier ones have left are not part of it."""
        self._run = run
        self._output_left = output_bytes
        self._longest = frame_bytes
        with suppress(MemoryError):
            self._reserve = bytes(_RESERVE)
        self._send(_BEGUN, run, 0, b"")

    def end(self, outcome: bytes) -> None:
        """The run is over."""
        if self._is_copy:
            os._exit(0)
        self._reserve = b""
        self._send(_OUTCOME, self._run, 0, outcome)

    def call(self, request: bytes) -> bytes:
        number = self._next()
        self._calls[number] = None
        try:
            self._request(number, request)
            while (reply := self._calls[number]) is None:
                self._receive(None, lambda: self._calls[number] is not None)
            return reply
        finally:
            self._calls.pop(number, None)

    def submit(self, request: bytes) -> int:
        number = self._next()
        self._request(number, request)
        return number

    def poll(self, timeout: float | None) -> tuple[int, bytes] | None:
        end = None if timeout is None else monotonic() + timeout
        while not self._submitted:
            left = None if end is None else max(end - monotonic(), 0.0)
            self._receive(left, lambda: bool(self._submitted))
            if left == 0.0:
                break
        return self._submitted.popleft() if self._submitted else None

    def emit(self, channel: int, data: bytes) -> None:
        if self._is_copy:
            _write_past(channel, data)
            return
        run = _run_of_thread(self._run)
        refused = False
        if run == self._run:
            self._output_left -= len(data)
            refused = self._output_left < 0
        if channel == DISPLAY:
            if len(data) > self._longest:
                raise OutputLimitError("what is to be shown is larger than a run may show")
            self._send(_EMIT, run, channel, data)
        else:
            for start in range(0, len(data), _LONGEST_OUTPUT):
                self._send(_EMIT, run, channel, data[start : start + _LONGEST_OUTPUT])
        if refused:
            raise OutputLimitError("the run wrote more output than it may")

    def fileno(self) -> int:
        """Readable when a reply may be there."""
        return self._socket.fileno()

    @property
    def has_replies(self) -> bool:
        """Whether `poll` would not wait."""
        return bool(self._submitted)

    def _next(self) -> int:
        with self._sending:
            self._last += 1
            return self._last

    def _request(self, number: int, request: bytes) -> None:
        if self._is_copy:
            raise RuntimeError("a copy of the process cannot call the host: its parent can")
        run = _run_of_thread(self._run)
        if len(request) <= self._longest:
            self._send(_CALL, run, number, request)
        else:
            self._send(_TOO_LONG, run, number, b"%d" % len(request))

    def _send(self, kind: int, run: int, number: int, content: bytes) -> None:
        frame = _HEADER.pack(kind, run, number, len(content)) + content
        with self._sending, self._guarded():
            self._socket.sendall(frame)

    def _receive(self, timeout: float | None, is_done: Callable[[], bool]) -> None:
        """Waits until something arrives; for the thread that comes first. Others wait for it."""
        if not self._reading.acquire(timeout=-1 if timeout is None else timeout):
            return
        try:
            if is_done() or not self._readable.poll(None if timeout is None else timeout * 1e3):
                return
            with self._guarded():
                self._take()
        finally:
            self._reading.release()

    def _guarded(self) -> AbstractContextManager[None]:
        """Only the first thread is ever interrupted."""
        return self.guard if threading.get_ident() == self._first else nullcontext()

    def _take(self) -> None:
        try:
            data = self._socket.recv(_PIECE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if not data:
            os._exit(0)  # there is no host any more
        self._inbox += data
        while len(self._inbox) >= _HEADER.size:
            _kind, _run, number, length = _HEADER.unpack_from(self._inbox)
            end = _HEADER.size + length
            if len(self._inbox) < end:
                break
            self._deliver(number, bytes(self._inbox[_HEADER.size : end]))
            del self._inbox[:end]

    def _deliver(self, number: int, reply: bytes) -> None:
        if number in self._calls:
            self._calls[number] = reply
            return
        self._submitted.append((number, reply))
        if threading.get_ident() != self._first:
            self.wake()


def _write_past(channel: int, data: bytes) -> None:
    """What copies of the process print goes the way of what other programs print."""
    rest = memoryview(data if channel in (STDOUT, STDERR) else b"")
    while rest:
        rest = rest[os.write(channel, rest) :]


def _run_of_thread(current: int) -> int:
    """The run that has started the thread; the current one for those that none has started."""
    run: int = getattr(threading.current_thread(), "_pcm_run", current)
    return run
