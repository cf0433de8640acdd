"""micropip in a sandbox that offers no JavaScript.

micropip has a second half for interpreters that are not Pyodide: downloads by `urllib.request`,
wheels unpacked by `zipfile`, no lock file. It takes the first half because `_pyodide_core` is in
`sys.modules`. So that module is out of sight while `micropip._compat` is imported, and three edges
of the second half are rounded off. Nothing happens until code imports micropip.
"""

from __future__ import annotations

import site
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any
from urllib.parse import unquote, urlsplit

_COMPAT = "micropip._compat"
_CORE = "_pyodide_core"
_TAKEN = ("data", "headers", "method")
"""What `urllib.request.Request` takes of what `pyfetch` takes."""


FOLDER = "/tmp/site-packages"
"""Where it installs: in the session's own files."""


def install() -> None:
    """Once per interpreter, after the network (`pcm_guest.network`)."""
    site.getsitepackages = lambda _prefixes=None: [FOLDER]  # type: ignore[assignment]
    sys.meta_path.insert(0, _Finder())


class _Finder:
    """Leaves the finding to the others."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != _COMPAT:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


class _Loader:
    """Another loader, with `_pyodide_core` out of sight."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        core = sys.modules.pop(_CORE, None)
        try:
            self._loader.exec_module(module)
        finally:
            if core is not None:
                sys.modules[_CORE] = core
        _round_off(module.compatibility_layer)
        # The package took copies of both when it was executed.
        module.fetch_bytes = module.compatibility_layer.fetch_bytes  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _round_off(layer: Any) -> None:
    """What the second half lacks of the first."""
    fetch: Callable[[str, dict[str, Any]], Any] = layer._fetch
    fetch_bytes = layer.fetch_bytes

    def fetch_here(url: str, kwargs: dict[str, Any]) -> Any:
        """Options of the browser, as `credentials`, mean nothing here."""
        return fetch(url, {name: kwargs[name] for name in _TAKEN if name in kwargs})

    async def fetch_bytes_here(url: str, kwargs: dict[str, Any]) -> bytes:
        """`emfs:` is the file system of the sandbox; so is `file:` for `urllib`."""
        parts = urlsplit(url)
        if parts.scheme in ("emfs", "file"):
            with open(unquote(parts.path), "rb") as file:
                return file.read()
        return await fetch_bytes(url, kwargs)  # type: ignore[no-any-return]

    class LoadedPackages:
        """What was installed by this micropip; attributes, as micropip sets them."""

        def to_py(self) -> dict[str, str]:
            return dict(vars(self))

    layer._fetch = staticmethod(fetch_here)
    layer.fetch_bytes = staticmethod(fetch_bytes_here)
    layer.loadedPackages = LoadedPackages()
