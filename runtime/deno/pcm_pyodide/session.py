"""The session of the snapshot: common modules imported, the evaluator ready and warm.

Importing it makes everything that can be made without a host.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import select
import sys
import time
from collections.abc import Sized
from errno import ENOTSUP
from types import SimpleNamespace

from _pyodide._importhook import JsFinder
from pcm_guest import Guest, rehearsal

from pcm_pyodide import micropip
from pcm_pyodide.port import HostFunctions, assignment, connect, finish, interrupt

_port = SimpleNamespace()
_connected = SimpleNamespace()
"""Has the `host`, once there is one."""


def resume(host: HostFunctions) -> None:
    """Connects the session to its host. Once, in every sandbox."""
    _connected.host = host
    connect(_port, host)

    def sleep(seconds: float, /) -> None:
        """Waits, in the host."""
        if host.sleep(_duration(seconds)) < 0:
            interrupt()

    def select_nothing(
        reads: Sized, writes: Sized, others: Sized, timeout: float | None = None, /
    ) -> tuple[list[object], list[object], list[object]]:
        """There are no sockets and no pipes to wait for; time passes all the same."""
        if any((len(reads), len(writes), len(others))):
            raise OSError(ENOTSUP, "there is nothing to wait for but time")
        sleep(math.inf if timeout is None else timeout)
        return [], [], []

    time.sleep = sleep  # type: ignore[assignment]
    select.select = select_nothing  # type: ignore[assignment]
    for name in os.environ.keys() - {"HOME"}:
        del os.environ[name]


def _duration(seconds: float) -> float:
    duration = float(seconds)
    if duration < 0:
        raise ValueError("sleep length must be non-negative")
    return duration


def forget() -> None:
    """Makes the session what it was before it ever ran."""
    _guest.forget()


def run() -> None:
    """Does one run: the host has the source, and takes the outcome."""
    finish(_connected.host, _guest.run(*assignment(_connected.host)))


def _leave_out() -> None:
    """Takes away what leads to JavaScript, and what only pretends to work. None of it is a wall."""
    asyncio.run = asyncio.runners.run  # Pyodide's needs a loop of the browser
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, JsFinder)]
    for name in [name for name in sys.modules if name.split(".")[0] in ("js", "pyodide_js")]:
        del sys.modules[name]
    del os.system


rehearsal.import_common_modules()
_leave_out()
rehearsal.use(_port, rehearsal.RehearsalHost())
_guest = Guest(_port)
_guest.install()
_guest.install_network()
micropip.install()
rehearsal.rehearse(_guest)
# Last: that a folder is missing would be remembered in the snapshot, and believed ever after.
sys.path.extend((*rehearsal.FOLDERS, micropip.FOLDER))
sys.path_importer_cache.clear()
gc.collect()
gc.freeze()
