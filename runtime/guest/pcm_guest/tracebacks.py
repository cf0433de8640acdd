"""What is told of an exception: its type, its message, and where in the user's code it happened."""

from __future__ import annotations

import traceback
from types import FrameType, TracebackType
from typing import Any

USER_FILES = ("<run ", "<workflow ")
"""How the file names of user code begin."""

MAX_MESSAGE = 10_000
MAX_TRACEBACK = 64 * 1024
_MAX_CHAIN = 16
_MAX_NOTES = 16
_MAX_FRAMES = 1200  # more than Python's own recursion limit leaves
_OWN_PACKAGE = __name__.partition(".")[0]


def describe(error: BaseException) -> tuple[str, str, str]:
    """Type name, message and traceback, each of a bounded length. Never raises an Exception."""
    name = type(error).__name__
    try:
        _bound_chain(error)
        return name, _shorten(_text(error), MAX_MESSAGE), _shorten(_format(error), MAX_TRACEBACK)
    except Exception as failure:
        return name, "", f"{name} (its traceback cannot be shown: {type(failure).__name__})\n"


def safe_repr(value: Any, limit: int) -> str:
    """`repr(value)`, shortened; a repr that fails is described."""
    try:
        return _shorten(repr(value), limit)
    except Exception as error:
        return f"<{type(value).__name__} whose repr() raised {type(error).__name__}>"


def _text(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg or ""
    if isinstance(error, KeyError) and len(error.args) == 1:
        return repr(error.args[0])
    return str(error)


def _format(error: BaseException) -> str:
    seen: set[int] = set()
    pending: list[BaseException] = [error]
    while pending:  # the frames of every exception of the chain, and of the groups in it
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = _without_own_frames(current.__traceback__)
        pending.extend(e for e in (current.__cause__, current.__context__) if e is not None)
        pending.extend(getattr(current, "exceptions", ()))
    return "".join(traceback.TracebackException.from_exception(error, compact=True).format())


def _without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame of user code on, less the frames of this package."""
    entries = []
    while trace is not None:
        if entries or trace.tb_frame.f_code.co_filename.startswith(USER_FILES):
            entries.append(trace)
        trace = trace.tb_next
    kept = [entry for entry in entries if not _is_own(entry.tb_frame)]
    if len(kept) > _MAX_FRAMES:
        kept = kept[: _MAX_FRAMES // 2] + kept[-_MAX_FRAMES // 2 :]
    head = None
    for entry in reversed(kept):
        head = TracebackType(head, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return head


def _is_own(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == _OWN_PACKAGE


def _bound_chain(error: BaseException) -> None:
    """Cuts what would make the text unbounded: long chains, many notes."""
    current: BaseException | None = error
    for _ in range(_MAX_CHAIN):
        assert current is not None
        notes = getattr(current, "__notes__", None)
        if isinstance(notes, list) and len(notes) > _MAX_NOTES:
            del notes[_MAX_NOTES:]
        following = current.__cause__ or current.__context__
        if following is None:
            return
        last, current = current, following
    last.__cause__ = last.__context__ = None


def _shorten(text: str, limit: int) -> str:
    """Keeps the head and the tail of a text that is too long."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}… {len(text) - 2 * half} characters left out …{text[-half:]}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory limit was the reason.

    Where addresses have 32 bits, a length beyond them is refused before the allocation is tried.
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, OverflowError) and str(error) in _BEYOND_ADDRESS_SPACE


_BEYOND_ADDRESS_SPACE = (
    "cannot fit 'int' into an index-sized integer",
    "Python int too large to convert to C ssize_t",
)
