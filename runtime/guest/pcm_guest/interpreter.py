"""What the evaluator needs of the interpreter around it, and how user code is kept from it."""

from __future__ import annotations

import builtins
import sys
import types
from builtins import BaseException, KeyboardInterrupt
from sys import (
    audit,
    getprofile,
    getrecursionlimit,
    gettrace,
    setprofile,
    setrecursionlimit,
    settrace,
)
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LEAST_RECURSION = 200  # less than this would stop the evaluator itself

changes_of: Callable[[dict[str, Any]], int] | None = None
"""A number that is another one when a dict was changed. A wall that knows one puts this here."""


class DamagedError(BaseException):
    """User code changed the interpreter in a way that cannot be undone."""


class Interpreter:
    """The session's `__main__`, its builtins, its recursion limit.

    User code runs inside `with interpreter`. Afterwards its variables are kept, and its changes to
    what the evaluator itself stands on are undone.
    """

    def __init__(self, names: dict[str, Any], own: types.ModuleType = builtins) -> None:
        """`own` are the builtins of the session, where it is not alone in the interpreter."""
        self._main = types.ModuleType("__main__")
        self._own = own
        self._names = {**vars(self._main), **names, "__builtins__": own}
        self._builtins: dict[str, Any] = {}
        self._changes: int | None = None
        self._modules = sys.modules
        self._recursion_limit = getrecursionlimit()
        self._tracing = gettrace(), getprofile()
        self.forget()

    @property
    def scope(self) -> dict[str, Any]:
        """The variables of the session."""
        return self._main.__dict__

    @property
    def builtins(self) -> types.ModuleType:
        """The builtins of the session."""
        return self._own

    def install(self, **added: Any) -> None:
        """Makes this interpreter the session's, with some builtins more. Once per session."""
        self._own.__dict__.update(added)
        self._builtins = dict(self._own.__dict__)
        self.take_over()

    def take_over(self) -> None:
        """Puts the session's own into the place of what the interpreter has one of."""
        sys.setrecursionlimit = self._set_recursion_limit
        sys.modules["__main__"] = self._main

    def forget(self) -> None:
        """Drops the variables of the session."""
        self.scope.clear()
        self.scope.update(self._names)

    def grant_recursion(self, limit: int) -> None:
        """Says how far `sys.setrecursionlimit` may go."""
        self._recursion_limit = limit
        if not _LEAST_RECURSION <= getrecursionlimit() <= limit:
            self._set_recursion_limit(getrecursionlimit())

    def __enter__(self) -> None:
        self._tracing = gettrace(), getprofile()

    def __exit__(self, *_error: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Undoes what user code changed. Harmless when repeated."""
        try:
            trace, profile = self._tracing
            audit("pcm_guest.leave")  # a hook that raises cannot be removed, and fails what follows
            if gettrace() is not trace:
                settrace(trace)
            if getprofile() is not profile:
                setprofile(profile)
            self.restore()
        except KeyboardInterrupt:
            raise  # whoever takes it calls this again
        except BaseException as error:
            raise DamagedError from error

    def restore(self) -> None:
        """Puts back the builtins, `__main__`, and those of the session's names that are missing."""
        own = self._own.__dict__
        if changes_of is None or changes_of(own) != self._changes:
            own.update(self._builtins)
            self._changes = changes_of(own) if changes_of else None
        self.restore_modules()
        scope = self._main.__dict__
        scope["__builtins__"] = self._own
        # Not items(): where there is no memory, Python 3.11 crashes making its iterator.
        for name in self._names:
            if name not in scope:
                scope[name] = self._names[name]

    def restore_modules(self) -> None:
        """Puts back `sys.modules`, and in it `__main__`."""
        sys.modules = self._modules
        self._modules["__main__"] = self._main

    def _set_recursion_limit(self, limit: int, /) -> None:
        """Sets the recursion limit, up to what the sandbox grants."""
        granted = max(min(limit, self._recursion_limit), _LEAST_RECURSION)
        if granted != getrecursionlimit():
            setrecursionlimit(granted)
