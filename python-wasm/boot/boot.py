"""Turns a bare interpreter into the session that the snapshot holds.

Runs once, while the image is made, with `/boot` open. There are this file, `stdlib.bin` (the
standard library and the time zones, compiled), `lib/encodings`, and the packages `pcm_guest` and
`pcm_wasm` as source. Afterwards the interpreter needs no file system: modules come from memory.
A session's own files are in `/work`, which is an empty folder here.
The C glue takes `run` and `OutputLimitError` from this module's names.

Only built-in and frozen modules can be imported until the importer is in place.
"""

import marshal
import os
import sys

PACKAGES = ("pcm_guest", "pcm_wasm")


def add_package(name: str, modules: dict[str, tuple[bool, bytes]]) -> None:
    """Compiles a package's files into the table of modules."""
    for entry in sorted(os.listdir(f"/boot/{name}")):
        if not entry.endswith(".py"):
            continue
        stem = entry.removesuffix(".py")
        is_package = stem == "__init__"
        module = name if is_package else f"{name}.{stem}"
        with open(f"/boot/{name}/{entry}", "rb") as file:
            code = compile(file.read(), f"/std/{name}/{entry}", "exec", dont_inherit=True)
        modules[module] = (is_package, marshal.dumps(code))


with open("/boot/stdlib.bin", "rb") as stdlib:
    modules, data = marshal.loads(stdlib.read())
for package in PACKAGES:
    add_package(package, modules)

importer = type(sys)("pcm_wasm.importer")
exec(marshal.loads(modules["pcm_wasm.importer"][1]), importer.__dict__)
importer.install(modules, data)

# The C library remembers the one, `os` the other; sessions have no environment besides.
os.chdir("/work")
os.environ["HOME"] = "/work"

from pcm_wasm.session import OutputLimitError, run  # noqa: E402, F401
