"""The port of `pcm_guest`, made of functions of the host.

Only numbers go through JavaScript. What is sent lies in a `bytes` object, and the host reads it
where it is; what comes is written into a fresh one before anybody has seen it.
"""

from __future__ import annotations

from _signal import SIGINT, raise_signal  # type: ignore[import-not-found]
from collections.abc import Callable
from types import SimpleNamespace
from typing import NoReturn, Protocol

from pcm_guest.port import OutputLimitError

_CONTENT = bytes.__basicsize__ - 1
"""How far into a `bytes` object its content begins: the type counts the zero byte at the end."""
_INTERRUPTED = -1


class HostFunctions(Protocol):
    """What the loader offers (js/src/loader.js). Addresses are those of linear memory."""

    begin: Callable[[], int]
    call: Callable[[int, int], int]
    submit: Callable[[int, int], int]
    poll: Callable[[float], int]
    take: Callable[[int], int]
    emit: Callable[[int, int, int], int]
    sleep: Callable[[float], int]
    end: Callable[[int, int], None]


def connect(port: SimpleNamespace, host: HostFunctions) -> None:
    """Makes `port` one to this host."""
    host_call, host_submit, host_poll = host.call, host.submit, host.poll
    host_take, host_emit = host.take, host.emit

    def call(request: bytes) -> bytes:
        length = host_call(id(request) + _CONTENT, len(request))
        if length == _INTERRUPTED:
            interrupt()
        reply = bytes(length)
        host_take(id(reply) + _CONTENT)
        return reply

    def submit(request: bytes) -> int:
        return host_submit(id(request) + _CONTENT, len(request))

    def poll(timeout: float | None) -> tuple[int, bytes] | None:
        length = host_poll(-1.0 if timeout is None else max(timeout, 0.0))
        if length == 0:
            return None
        if length == _INTERRUPTED:
            interrupt()
        reply = bytes(length)
        return host_take(id(reply) + _CONTENT), reply

    def emit(channel: int, data: bytes) -> None:
        if host_emit(channel, id(data) + _CONTENT, len(data)):
            raise OutputLimitError("the run wrote more output than it may")

    port.call, port.submit, port.poll, port.emit = call, submit, poll, emit


def interrupt() -> NoReturn:
    """Raises what the handler of the signal raises, after the host cut a wait short."""
    raise_signal(SIGINT)
    raise KeyboardInterrupt  # the handler was replaced: the wait ends anyway


def assignment(host: HostFunctions) -> tuple[bytes, bytes]:
    """The options and the source of the next run."""
    frame = bytes(host.begin())
    host.take(id(frame) + _CONTENT)
    options, _, source = frame.partition(b"\n")
    return options, source


def finish(host: HostFunctions, outcome: bytes) -> None:
    """Hands over how a run ended."""
    host.end(id(outcome) + _CONTENT, len(outcome))
