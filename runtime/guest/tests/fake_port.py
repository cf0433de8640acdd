"""A port without a host: it records every frame, answers by rule, and has a clock of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pcm_guest.port import DISPLAY, STDERR, STDOUT, OutputLimitError


class Stuck(BaseException):
    """The guest waits for something that will never come."""


@dataclass
class Request:
    """A request frame, decoded."""

    namespace: str
    op: str
    args: dict[str, Any]
    types: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, frame: bytes) -> Request:
        return cls(**strict_json(frame))

    @property
    def name(self) -> str:
        """Such as `tools.list`; for a call of a tool, `tools.call NAME`."""
        name = f"{self.namespace}.{self.op}"
        return f"{name} {self.args['name']}" if name == "tools.call" else name


@dataclass
class Reply:
    """What the host answers, and how many seconds that takes."""

    value: Any = None
    types: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    refused_as: str = ""
    """The error type of a refusal; the value is then its message."""

    def frame(self) -> bytes:
        if self.refused_as:
            refusal = {"ok": False, "type": self.refused_as, "message": self.value}
            return _to_json(refusal).encode()
        return _to_json({"ok": True, "value": self.value, "types": self.types}).encode()


Answer = Callable[[Request], Reply | bytes]


class FakePort:
    """Answers every request by `answer`; bytes are sent as they are."""

    def __init__(self, answer: Answer | None = None, output_limit: int | None = None) -> None:
        self.answer: Answer = answer or (lambda request: Reply(request.args))
        self.output_limit = output_limit
        self.now = 0.0
        self.log: list[str] = []
        """What happened in which order: `call NAME`, `submit NAME`, `reply NAME`."""
        self.requests: list[Request] = []
        self.emitted: list[tuple[int, bytes]] = []
        self._submitted = 0
        self._under_way: list[tuple[float, int, str, bytes]] = []

    def call(self, request: bytes) -> bytes:
        parsed, reply, delay = self._take("call", request)
        self.now += delay
        self.log.append(f"reply {parsed.name}")
        return reply

    def submit(self, request: bytes) -> int:
        parsed, reply, delay = self._take("submit", request)
        self._submitted += 1
        self._under_way.append((self.now + delay, self._submitted, parsed.name, reply))
        return self._submitted

    def poll(self, timeout: float | None) -> tuple[int, bytes] | None:
        due = min(self._under_way, default=None)
        if due is not None and (timeout is None or due[0] <= self.now + timeout):
            self._under_way.remove(due)
            self.now = max(self.now, due[0])
            self.log.append(f"reply {due[2]}")
            return due[1], due[3]
        if timeout is None:
            raise Stuck
        self.now += timeout
        return None

    def emit(self, channel: int, data: bytes) -> None:
        assert type(data) is bytes
        if self.output_limit is not None:
            self.output_limit -= len(data)
            if self.output_limit < 0:
                raise OutputLimitError("the run wrote more output than it may")
        self.emitted.append((channel, data))

    def _take(self, how: str, frame: bytes) -> tuple[Request, bytes, float]:
        request = Request.parse(frame)
        self.requests.append(request)
        self.log.append(f"{how} {request.name}")
        reply = self.answer(request)
        if isinstance(reply, bytes):
            return request, reply, 0.0
        return request, reply.frame(), reply.delay

    @property
    def stdout(self) -> str:
        return self._text(STDOUT)

    @property
    def stderr(self) -> str:
        return self._text(STDERR)

    def _text(self, wanted: int) -> str:
        return b"".join(data for channel, data in self.emitted if channel == wanted).decode()

    @property
    def displayed(self) -> list[dict[str, Any]]:
        return [strict_json(data) for channel, data in self.emitted if channel == DISPLAY]


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


# Bound here: the code under test may replace the functions of the module.
_from_json = json.JSONDecoder(parse_constant=_refuse).decode
_to_json = json.JSONEncoder(ensure_ascii=False).encode


def strict_json(text: bytes) -> Any:
    """Decodes what the host would accept: no NaN, no lone surrogates, no invalid UTF-8."""
    value = _from_json(text.decode())
    _to_json(value).encode()
    return value
