"""Makes the standard library that sandboxes have: all of it and the guest's packages, compiled.

Runs once, as a script, in an interpreter that has the library in source. `/source.zip` is that,
`/packages.bin` the guest's packages (see the build script of runtime/deno), `/packed.zip` what is
made.
"""

import importlib.util
import zipfile
from collections.abc import Iterator
from importlib._bootstrap_external import _code_to_hash_pyc  # type: ignore[attr-defined]

# Where Python finds it: tracebacks have these names.
ROOT = "/lib/python314.zip/"
# The oldest time that an archive can name: its bytes must not depend on when it was made.
EPOCH = (1980, 1, 1, 0, 0, 0)


def packages() -> Iterator[tuple[str, bytes]]:
    """Name and source of each module of the guest."""
    with open("/packages.bin", "rb") as file:
        while header := file.readline():
            name, length = header.decode().split()
            yield name, file.read(int(length))


def library() -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of the library."""
    with zipfile.ZipFile("/source.zip") as source:
        for entry in source.infolist():
            if not entry.is_dir():
                yield entry.filename, source.read(entry)


def compiled(name: str, source: bytes) -> bytes:
    """Bytecode that is never compared with a source: there is none."""
    code = compile(source, ROOT + name, "exec", dont_inherit=True, optimize=0)
    return bytes(_code_to_hash_pyc(code, importlib.util.source_hash(source), False))


with zipfile.ZipFile("/packed.zip", "w", zipfile.ZIP_STORED) as packed:
    for name, content in (*library(), *packages()):
        if name.endswith(".py"):
            packed.writestr(zipfile.ZipInfo(f"{name}c", EPOCH), compiled(name, content))
        else:
            packed.writestr(zipfile.ZipInfo(name, EPOCH), content)
