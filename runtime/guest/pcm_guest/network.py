"""The network for code in an interpreter that has no sockets: HTTP, through the host.

`http.client` gets connections that hand their requests to the host (see `connections`), and so does
everything that is built on it, `urllib.request` above all. That happens when code imports it: a
session that does not, pays nothing. Sockets say what to use in their place.

Nothing here is a wall. The host looks at every request, whoever made it up.
"""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from pcm_guest.calls import Host

Change = Callable[[ModuleType], None]
"""What is done to a module when it has been executed."""


def install(host: Host) -> None:
    """Makes the network this host's. Once per interpreter."""

    def use_host(module: ModuleType) -> None:
        importlib.import_module("pcm_guest.connections").install(module, host)

    changes: dict[str, Change] = {"http.client": use_host, "socket": _refuse_connections}
    for name, change in changes.items():
        if name in sys.modules:
            change(sys.modules[name])
    sys.meta_path.insert(0, _Changes(changes))


class _Changes:
    """A finder that leaves the finding to the others, and changes what they found."""

    def __init__(self, changes: dict[str, Change]) -> None:
        self._changes = changes

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        change = self._changes.get(name)
        if change is None:
            return None
        later = sys.meta_path[sys.meta_path.index(self) + 1 :]
        for finder in later:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _Loader(spec.loader, change)  # type: ignore[assignment]
                return spec
        return None


class _Loader:
    """Another loader, and a change after it."""

    def __init__(self, loader: Any, change: Change) -> None:
        self._loader = loader
        self._change = change

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _refuse_connections(module: ModuleType) -> None:
    """Without names and addresses nobody gets as far as a socket, which fails by itself."""
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        setattr(module, name, _no_sockets)


def _no_sockets(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise OSError(
        errno.ENOTSUP,
        "no sockets in this sandbox: urllib.request and http.client reach the network, "
        "where the session allows it",
    )
