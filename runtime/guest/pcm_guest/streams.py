"""What stands in for a terminal: `sys.stdout`, `sys.stderr`, `sys.stdin`, `input`, `breakpoint`."""

from __future__ import annotations

import io
import sys
from typing import Any, NoReturn

from pcm_guest.port import STDERR, STDOUT, Port


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`: bytes straight to the host."""

    def __init__(self, port: Port, channel: int) -> None:
        self._port = port
        self._channel = channel

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        with memoryview(data) as view:
            self._port.emit(self._channel, view.tobytes())
            return view.nbytes

    def fileno(self) -> int:
        return self._channel


class Output(io.TextIOBase):
    """An output stream without a buffer: what was written before a crash is not lost."""

    def __init__(self, port: Port, channel: int, name: str) -> None:
        self._port = port
        self._channel = channel
        self.name = name
        self.mode = "w"
        self.buffer = _Bytes(port, channel)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "replace"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._port.emit(self._channel, str.encode(text, "utf-8", "replace"))
        return len(text)

    def fileno(self) -> int:
        return self._channel

    def reconfigure(self, **_options: Any) -> None:
        """Accepted and ignored: the stream is always UTF-8 and never buffers."""


def _refuse_input(prompt: object = "", /) -> NoReturn:
    raise EOFError(
        "input() is not available: sandboxed code has no keyboard; pass what it needs as variables"
    )


def _refuse_breakpoint(*_args: Any, **_options: Any) -> NoReturn:
    raise RuntimeError("breakpoint() is not available: sandboxed code has no debugger attached")


def refusing_builtins() -> dict[str, Any]:
    """Builtins in place of those that would wait for a person."""
    # The ways out that `site` has, where there is one, would close stdin.
    return {"input": _refuse_input, "exit": sys.exit, "quit": sys.exit}


def install_refusals() -> None:
    """Replaces in `sys` what would wait for a person. Once per session."""
    sys.breakpointhook = _refuse_breakpoint
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BytesIO(), "utf-8")  # type: ignore[misc]


class Streams:
    """The session's two output streams, put back in place before every run."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._renew()

    def install(self) -> None:
        """Undoes whatever earlier code did to the streams (closed, changed, set to None)."""
        for part, fields in self._parts:
            if vars(part) != fields:  # one that is closed has another field
                self._renew()
                break
        sys.stdout = sys.__stdout__ = self._stdout  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = self._stderr  # type: ignore[misc]

    def _renew(self) -> None:
        self._stdout: Any = Output(self._port, STDOUT, "<stdout>")
        self._stderr: Any = Output(self._port, STDERR, "<stderr>")
        parts = (self._stdout, self._stdout.buffer, self._stderr, self._stderr.buffer)
        self._parts = [(part, dict(vars(part))) for part in parts]
