"""What is done before a snapshot, so that no session has to do it.

Imports, and a first round of runs that warms the interpreter.
"""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pcm_guest.evaluate import Guest
    from pcm_guest.port import Port

# Where modules are files: what was installed, then what the code itself wrote, which must not take
# the place of a package.
FOLDERS = ("/packages", "/work")

# What model-written code imports most, so that a session does not wait for it.
_COMMON = """
    abc argparse array ast asyncio base64 bisect calendar collections contextlib copy csv
    dataclasses datetime decimal difflib enum fractions functools glob hashlib heapq html
    importlib.resources inspect io itertools json logging math operator os pathlib pickle pprint
    queue random re secrets shutil statistics string struct tempfile textwrap threading time
    traceback types typing unicodedata urllib.parse uuid warnings zlib zoneinfo
""".split()

_RUNS = [
    b"1 + 1",
    b"x = 40\nprint('hi'); x + 2",
    b"import json\njson.dumps([i * i for i in range(10)])",
    b"[1, 2.5, 'a', {'k': (1, 2)}]",
    b"1 / 0",
    b"def broken(",
    b"tools.a.b(x=1)",
    b"import asyncio\nawait asyncio.gather(tools.a(x=1), tools.a(x=2))",
    b"b'bytes'",
]
_OPTIONS = b"1 1000 1000 0"


class RehearsalHost:
    """Answers while the snapshot is made: there is no host yet."""

    REPLY = b'{"ok":true,"value":1}'

    def __init__(self) -> None:
        self._submitted: list[int] = []

    def call(self, request: bytes) -> bytes:
        return self.REPLY

    def submit(self, request: bytes) -> int:
        self._submitted.append(len(self._submitted) + 1)
        return self._submitted[-1]

    def poll(self, timeout: float | None) -> tuple[int, bytes] | None:
        return (self._submitted.pop(0), self.REPLY) if self._submitted else None

    def emit(self, channel: int, data: bytes) -> None:
        return None


def use(port: SimpleNamespace, host: Port) -> None:
    """Binds the host's functions into the port: no lookup or wrapper on the way to it."""
    for name in ("call", "submit", "poll", "emit"):
        setattr(port, name, getattr(host, name))


def import_common_modules() -> None:
    """Imports what sessions shall find imported."""
    for module in _COMMON:
        importlib.import_module(module)


def rehearse(guest: Guest) -> None:
    """Runs what code commonly does, and forgets that it did."""
    guest.rehearse(_RUNS, _OPTIONS)
