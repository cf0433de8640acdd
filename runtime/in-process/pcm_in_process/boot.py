"""Makes an interpreter one that sessions can share. Executed once, before anything else.

The host puts in: `SOURCES`, by the names of their files, the packages that come with it; `forked`,
which it is to be told of a fork with; `is_forked`; `park`. It takes out: `Session`, `Parked`, and
`OutputLimitError`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_given: Any = globals()
SOURCES: dict[str, str] = _given["SOURCES"]
forked: Callable[[], None] = _given["forked"]
is_forked: Callable[[], bool] = _given["is_forked"]
park: Callable[[], None] = _given["park"]

# Tracebacks leave out the frames of what is in here.
ROOT = "<pcm-sandbox>/"


class _Embedded:
    """Finds and loads the packages that came with the host, and nothing else."""

    def __init__(self, sources: dict[str, str]) -> None:
        self._sources: dict[str, tuple[str, str, bool]] = {}
        for file, source in sources.items():
            module = file.removesuffix(".py").replace("/", ".")
            package = module.removesuffix(".__init__")
            self._sources[package] = file, source, package != module

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self._sources:
            return None
        file, _, is_package = self._sources[name]
        return ModuleSpec(name, self, origin=ROOT + file, is_package=is_package)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        """The import system makes the usual one."""

    def exec_module(self, module: ModuleType) -> None:
        file, source, _ = self._sources[module.__name__]
        exec(compile(source, ROOT + file, "exec", dont_inherit=True), vars(module))


sys.meta_path.insert(0, _Embedded(SOURCES))

from pcm_in_process import shared  # noqa: E402

shared.install(is_forked)
os.register_at_fork(after_in_child=forked)

from pcm_guest.port import OutputLimitError  # noqa: E402

from pcm_in_process.session import Session, prepare  # noqa: E402

prepare()


class Parked(BaseException):
    """Raised in a thread that was given up and swallows every other exception.

    To catch it is to make it, and that never returns: the thread stays where it is, and holds up
    nobody.
    """

    def __init__(self, *_args: object) -> None:
        park()


__all__ = ["OutputLimitError", "Parked", "Session"]
