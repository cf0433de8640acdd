"""What is told of an exception: its type, its message, and where in the user's code it happened."""

from __future__ import annotations

from traceback import TracebackException
from types import FrameType, TracebackType
from typing import Any

USER_FILES = ("<run ", "<workflow ")
"""How the file names of user code begin."""

MAX_MESSAGE = 10_000
MAX_TRACEBACK = 64 * 1024
_MAX_NAME = 200
_MAX_EXCEPTIONS = 32  # that are shown, however they are chained and grouped
_MAX_DEPTH = 8  # of groups in groups
_MAX_MEMBERS = 15  # of a group
_MAX_NOTES = 16
_MAX_FRAMES = 1200  # more than Python's own recursion limit leaves


def describe(error: BaseException) -> tuple[str, str, str]:
    """Type name, message and traceback, each of a bounded length. Whatever the user's
    own methods raise, it raises nothing."""
    name = type_name(error)
    try:
        message = _shorten(_text(error), MAX_MESSAGE)
    except BaseException as failure:
        message = f"<the message cannot be shown: {type_name(failure)}>"
    try:
        trace = _shorten("".join(_summary(error, set(), 0).format()), MAX_TRACEBACK)
    except BaseException as failure:
        trace = f"{name} (its traceback cannot be shown: {type_name(failure)})\n"
    return name, message, trace


def type_name(value: Any) -> str:
    """The name of a value's type, whatever its metaclass says."""
    return _shorten(type.__dict__["__name__"].__get__(type(value)), _MAX_NAME)


def safe_repr(value: Any, limit: int) -> str:
    """`repr(value)`, shortened; a repr that fails is described."""
    try:
        return _shorten(repr(value), limit)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return f"<{type_name(value)} whose repr() raised {type_name(error)}>"


def _text(error: BaseException) -> str:
    return str((error.msg or "") if isinstance(error, SyntaxError) else error)


def _summary(error: BaseException, seen: set[int], depth: int) -> Any:
    """What is shown of an exception, and of as many as may be of those behind and inside it.

    `TracebackException` itself would take in all of them, however many there are: with `_seen` it
    takes in one, and the rest is linked here. The exceptions are left as they are.
    """
    seen.add(id(error))
    trace = _without_own_frames(error.__traceback__)
    shown: Any = TracebackException(
        type(error), error, trace, compact=True, max_group_width=_MAX_MEMBERS, _seen=set()
    )
    shown._str = _shorten(shown._str, MAX_MESSAGE)
    if isinstance(shown.__notes__, list):
        shown.__notes__ = shown.__notes__[:_MAX_NOTES]
    cause = error.__cause__
    context = None if cause is not None or error.__suppress_context__ else error.__context__
    shown.__cause__ = _further(cause, seen, depth)
    shown.__context__ = _further(context, seen, depth)
    shown.exceptions = None
    if isinstance(error, BaseExceptionGroup):
        members = error.exceptions
        described = [_further(e, seen, depth + 1) or _LEFT_OUT for e in members[:_MAX_MEMBERS]]
        # Those that are not described are counted.
        shown.exceptions = [*described, *[None] * (len(members) - len(described))]
    return shown


def _further(error: BaseException | None, seen: set[int], depth: int) -> Any:
    if error is None or id(error) in seen or len(seen) >= _MAX_EXCEPTIONS or depth > _MAX_DEPTH:
        return None
    return _summary(error, seen, depth)


_LEFT_OUT = TracebackException(Exception, Exception("left out here"), None)


def _without_own_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame of user code on, less the frames of the evaluator."""
    entries: list[TracebackType] = []
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


_OWN_FOLDERS = _without_own_frames.__code__.co_filename.removesuffix("guest/tracebacks.py")
"""How the file names of this package begin, and of what a backend has beside it (`pcm_…`)."""


def _is_own(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OWN_FOLDERS)


def _shorten(text: str, limit: int) -> str:
    """Keeps the head and the tail of a text that is too long."""
    text = str.__str__(text)  # an instance of a subclass may lie about itself
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}… {len(text) - 2 * half} characters left out …{text[-half:]}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the memory limit was the reason.

    Where addresses have 32 bits, a length beyond them is refused before the allocation is tried.
    """
    if issubclass(type(error), MemoryError):  # isinstance() would run code of the class
        return True
    if type(error) is not OverflowError or not error.args or type(error.args[0]) is not str:
        return False
    message = error.args[0]
    return message in _BEYOND_ADDRESS_SPACE or message.endswith(_TOO_LONG)


_BEYOND_ADDRESS_SPACE = (
    "cannot fit 'int' into an index-sized integer",
    "Python int too large to convert to C ssize_t",
)
_TOO_LONG = (" is too long", " are too long")  # a repeated string, the result of a join or replace
