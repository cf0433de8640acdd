"""What Python has one of, made to be each session's own. Once per process.

A thread of no session finds everything as it is without sessions.
"""

from __future__ import annotations

import errno
import importlib
import linecache
import os
import sys
import time
from collections.abc import Callable
from sys import getrecursionlimit, setrecursionlimit
from types import ModuleType
from typing import Any

from pcm_in_process import belonging
from pcm_in_process.belonging import here

_STREAMS = ("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__")
_hosts: dict[str, Any] = {}
"""The streams of the process, for threads that belong to no session."""
_GONE = object()
_LEAST_RECURSION = 200  # less would stop the evaluator itself


def stream(name: str) -> Any:
    """The stream of that name in `sys`, for the calling thread; `_GONE` if code deleted it."""
    session = here.session
    if session is None:
        return _hosts[name]
    if not here.own and not session.port.run():
        return defaults.get(name)  # its run is over: not the streams of the next one
    return session.streams.get(name)


defaults: dict[str, Any] = {}
"""The streams that lead to whichever session writes."""


class _Sys(ModuleType):
    """The type of `sys`: its streams and its recursion limit are the thread's session's."""


def _stream_property(name: str) -> property:
    def get(_module: ModuleType) -> Any:
        found = stream(name)
        if found is _GONE:
            raise AttributeError(f"module 'sys' has no attribute {name!r}")
        return found

    def put(_module: ModuleType, value: Any) -> None:
        session = here.session
        (_hosts if session is None else session.streams)[name] = value

    def delete(module: ModuleType) -> None:
        put(module, _GONE)

    return property(get, put, delete)


class _Current:
    """What `print` and the interpreter itself find as `sys.stdout`: they look past attributes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def write(self, text: str) -> Any:
        found = stream(self._name)
        if found is None:
            return len(text)
        if found is _GONE:
            raise RuntimeError(f"lost sys.{self._name}")
        return found.write(text)

    def flush(self) -> None:
        found = stream(self._name)
        if found is not None and found is not _GONE:
            found.flush()

    def __getattr__(self, attribute: str) -> Any:
        return getattr(stream(self._name), attribute)


class ThreadPort:
    """Hands output to the session that the calling thread belongs to."""

    def emit(self, channel: int, data: bytes) -> None:
        session = here.session
        if session is None:
            os.write(channel, data)
        else:
            session.port.emit(channel, data)


class MainModule(ModuleType):
    """`sys.modules["__main__"]`: the variables of the thread's session."""

    def __getattribute__(self, name: str) -> Any:
        session = here.session
        return ModuleType.__getattribute__(self if session is None else session.main, name)

    def __setattr__(self, name: str, value: Any) -> None:
        session = here.session
        ModuleType.__setattr__(self if session is None else session.main, name, value)

    def __delattr__(self, name: str) -> None:
        session = here.session
        ModuleType.__delattr__(self if session is None else session.main, name)

    def __dir__(self) -> list[str]:
        session = here.session
        return list(ModuleType.__dir__(self if session is None else session.main))


main_module = MainModule("__main__")


class _Lines(dict[Any, Any]):
    """`linecache.cache`: sessions number their runs alike, and each finds its own."""

    _MOST = 500  # sources of a session

    def _of(self, key: Any) -> dict[Any, Any] | None:
        if type(key) is str and key.startswith(("<run ", "<workflow ")):
            session = here.session
            return None if session is None else session.lines
        return None

    def __contains__(self, key: object) -> bool:
        own = self._of(key)
        return dict.__contains__(self if own is None else own, key)

    def __getitem__(self, key: Any) -> Any:
        own = self._of(key)
        return dict.__getitem__(self if own is None else own, key)

    def get(self, key: Any, default: Any = None) -> Any:
        own = self._of(key)
        return dict.get(self if own is None else own, key, default)

    def __setitem__(self, key: Any, value: Any) -> None:
        own = self._of(key)
        if own is None:
            dict.__setitem__(self, key, value)
            return
        own.pop(key, None)
        own[key] = value
        if len(own) > self._MOST:
            own.pop(next(iter(own)), None)

    def __delitem__(self, key: Any) -> None:
        own = self._of(key)
        dict.__delitem__(self if own is None else own, key)

    def pop(self, key: Any, *default: Any) -> Any:
        own = self._of(key)
        return dict.pop(self if own is None else own, key, *default)


def own_builtins(original: ModuleType) -> ModuleType:
    """A module with the builtins of one session. Code that imports `builtins` finds this one."""
    own = ModuleType("builtins", original.__doc__)
    vars(own).update(vars(original))
    find = original.__import__

    def import_own(
        name: str,
        globals: Any = None,  # noqa: A002
        locals: Any = None,  # noqa: A002
        fromlist: Any = (),
        level: int = 0,
    ) -> Any:
        if name == "builtins":
            return own
        return find(name, globals, locals, fromlist, level)

    import_own.__name__ = import_own.__qualname__ = "__import__"
    own.__dict__["__import__"] = import_own
    return own


def set_recursion_limit(limit: int, /) -> None:
    """Sets what the session's recursion limit is. That of the process only ever grows: to lower it
    under a thread that is deep in a recursion would end the process."""
    session = here.session
    if session is not None:
        granted = max(min(limit, session.recursion_granted), _LEAST_RECURSION)
        session.recursion_limit = limit = granted
    if limit > getrecursionlimit():
        setrecursionlimit(limit)


def _get_recursion_limit() -> int:
    """The recursion limit of the session."""
    session = here.session
    return getrecursionlimit() if session is None else session.recursion_limit


def _install_waits() -> None:
    sleep_natively = time.sleep

    def sleep(seconds: float, /) -> None:
        """Waits. What stops a run cuts it short."""
        session = here.session
        if session is None:
            sleep_natively(seconds)
            return
        duration = float(seconds)
        if duration < 0:
            raise ValueError("sleep length must be non-negative")
        if here.own:
            session.port.sleep(duration)
        else:
            sleep_natively(duration)

    time.sleep = sleep  # type: ignore[assignment]


def _install_ends(is_forked: Callable[[], bool]) -> None:
    """A session does not end the process that it is a guest of. One that it forked is its own."""

    def refused(name: str, end: Callable[..., Any]) -> Callable[..., Any]:
        def ending(*args: Any, **options: Any) -> Any:
            if here.session is None or is_forked():
                return end(*args, **options)
            raise RuntimeError(
                f"os.{name}() would end the process that this session is a guest of; "
                "raise SystemExit to end the run"
            )

        ending.__name__ = name
        return ending

    for name in ("_exit", "abort"):
        setattr(os, name, refused(name, getattr(os, name)))


def _install_folders() -> None:
    """A session has a working folder of its own, where the system gives one to a thread."""

    def own_only(name: str, change: Callable[..., Any]) -> Callable[..., Any]:
        def changing(*args: Any, **options: Any) -> Any:
            session = here.session
            if session is not None and not session.own_folder:
                raise OSError(
                    errno.ENOTSUP,
                    f"os.{name}() would change the working folder of the whole process: "
                    "this system gives threads none of their own",
                )
            return change(*args, **options)

        changing.__name__ = name
        return changing

    for name in ("chdir", "fchdir"):
        setattr(os, name, own_only(name, getattr(os, name)))


def install(is_forked: Callable[[], bool]) -> None:
    """Makes the interpreter one that sessions can share, before the evaluator is imported."""
    # Of the module, past whatever stands in for its attributes.
    names = vars(sys)
    for name in _STREAMS:
        _hosts[name] = names.get(name)
        setattr(_Sys, name, _stream_property(name))
    sys.__class__ = _Sys
    for name in ("stdout", "stderr"):
        names[name] = _Current(name)
    sys.setrecursionlimit = set_recursion_limit
    sys.getrecursionlimit = _get_recursion_limit
    sys.modules["__main__"] = main_module
    linecache.cache = _Lines(linecache.cache)
    belonging.install()
    _install_waits()
    _install_ends(is_forked)
    _install_folders()


def add_packages(folder: str) -> None:
    """Lets sessions import from a folder."""
    sys.path.append(folder)


def remove_packages(folder: str) -> None:
    """Undoes one `add_packages`."""
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)


def packages_changed() -> None:
    """Makes imports look again."""
    importlib.invalidate_caches()
