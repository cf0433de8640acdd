"""Makes a session one to take a snapshot of: modules are imported, and all else is forgotten."""

from __future__ import annotations

import gc
import importlib
import linecache
import os
import random
import sys
import uuid
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pcm_wasm.session import guest

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_REASON = 300


def preload(required: list[str], optional: list[str]) -> dict[str, list[str] | dict[str, str]]:
    """Imports modules for all sessions of the next snapshot. The last thing that a session does.

    Gives those that are there, and why optional ones are not. The sessions have no variables, no
    open files, no files but the packages, and the working folder that they always have.
    """
    imported, missing = [], {}
    with _unseeded() as generators:
        for name in required:
            importlib.import_module(name)
            imported.append(name)
        for name in optional:
            try:
                importlib.import_module(name)
                imported.append(name)
            except (Exception, SystemExit) as error:
                missing[name] = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
    guest.renewals += [partial(random.Random.seed, generator) for generator in generators]
    uuid._node = uuid._last_timestamp = None  # type: ignore[attr-defined]
    os.chdir("/work")
    linecache.clearcache()
    sys.path_importer_cache.clear()  # what was not in a folder would not be looked for again
    guest.forget()
    gc.collect()
    gc.freeze()
    return {"imported": imported, "missing": missing}


@contextmanager
def _unseeded() -> Iterator[list[random.Random]]:
    """Gives the generators of random numbers that are made meanwhile and leave their seed to the
    system: in the sessions of one snapshot all would give the same numbers."""
    generators: list[random.Random] = []
    seed = random.Random.seed

    def noted(self: random.Random, a: object = None, version: int = 2) -> None:
        known = [generator for generator in generators if generator is not self]
        generators[:] = [*known, self] if a is None and type(self) is random.Random else known
        seed(self, a, version)  # type: ignore[arg-type]

    random.Random.seed = noted  # type: ignore[method-assign]
    try:
        yield generators
    finally:
        random.Random.seed = seed  # type: ignore[method-assign]
