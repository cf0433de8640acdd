"""The pipe to the host, as the guest sees it."""

from __future__ import annotations

from typing import Protocol

STDOUT = 1
STDERR = 2
DISPLAY = 3
"""The channel of `Port.emit` for rich results: one JSON object of MIME type to data."""


class OutputLimitError(BaseException):
    """The host takes no more output of this run.

    Not an `Exception`, so that a broad `except Exception` in user code does not go on printing.
    """


class Port(Protocol):
    """What a backend provides. Requests and replies are JSON frames (see `calls`)."""

    def call(self, request: bytes) -> bytes:
        """Sends a request and waits for its reply."""

    def submit(self, request: bytes) -> int:
        """Sends a request and returns at once, with a number that `poll` will name."""

    def poll(self, timeout: float | None) -> tuple[int, bytes] | None:
        """Waits for the reply to any submitted request; None when `timeout` seconds passed."""

    def emit(self, channel: int, data: bytes) -> None:
        """Hands output to the host. Raises `OutputLimitError` when the host wants no more."""
