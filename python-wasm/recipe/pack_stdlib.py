"""Packs the standard library into one file, so that the guest imports without a file system.

usage: PYTHON -X no_debug_ranges pack_stdlib.py OUT LIB SYSCONFIGDATA [PACKAGE ...]

OUT is marshal((modules, data)). `modules` is {name: (is_package, code)} with the code object as
marshalled bytes and no source text. `data` is {"package/folder/file": bytes}: the files of the
PACKAGE folders that are not Python. PYTHON must be of the guest's series: byte code belongs to one.
Without debug ranges the code has lines but no columns, which only serve to mark source text.

The same input gives the same bytes, whatever the machine, the order of reading or the hash seed.
"""

import marshal
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

Modules = dict[str, tuple[bool, bytes]]
Data = dict[str, bytes]

# They need processes, threads, sockets, a terminal, a screen or shared libraries.
CANNOT_WORK = """
    _android_support _apple_support _ios_support _osx_support _aix_support _pyrepl ctypes curses
    dbm ftplib imaplib mailbox multiprocessing poplib smtplib tkinter turtle webbrowser wsgiref
    xmlrpc
"""
# They are for installing, showing or testing Python itself.
NOT_FOR_PROGRAMS = """
    __phello__ __pycache__ antigravity ensurepip idlelib nturl2path pydoc pydoc_data site-packages
    test tests this turtledemo venv
"""
LEFT_OUT = frozenset(f"{CANNOT_WORK} {NOT_FOR_PROGRAMS}".split())
QUALIFIED_NAME = re.compile(r"[\w.<>]+")
# a value with an absolute path in it, other than the guest's own, tells about the build machine
MACHINE_PATH = re.compile(r"/(?!usr/local|std)\w")


def with_interned_names(code: CodeType) -> CodeType:
    """The same code whose name-like constants are interned, as marshal tells.

    The compiler leaves the qualified name of a class ("cmp_to_key.<locals>.K") interned or not,
    depending on whether this process happens to have imported the module that it compiles.
    """
    constants = tuple(
        sys.intern(value)
        if isinstance(value, str) and QUALIFIED_NAME.fullmatch(value)
        else with_interned_names(value)
        if isinstance(value, CodeType)
        else value
        for value in code.co_consts
    )
    return code.replace(co_consts=constants)


def code_of(name: str, source: bytes, is_package: bool) -> bytes:
    path = name.replace(".", "/") + ("/__init__" if is_package else "")
    code = compile(source, f"/std/{path}.py", "exec", dont_inherit=True, optimize=0)
    # Marshal twice: it writes a back reference to what the process shares, a fresh copy is shared
    # with nobody.
    return marshal.dumps(marshal.loads(marshal.dumps(with_interned_names(code))))


def python_files(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path]]:
    """The modules below `folder` with their full names; a package is its `__init__.py`."""
    for path in sorted(folder.iterdir()):
        if path.stem in LEFT_OUT:
            continue
        if path.is_dir():
            if (path / "__init__.py").exists():
                yield prefix + path.name, path / "__init__.py"
                yield from python_files(path, f"{prefix}{path.name}.")
        elif path.suffix == ".py" and path.name != "__init__.py":
            yield prefix + path.stem, path


def modules_of(folder: Path, prefix: str = "") -> Modules:
    modules = {}
    for name, path in python_files(folder, prefix):
        is_package = path.name == "__init__.py"
        modules[name] = (is_package, code_of(name, path.read_bytes(), is_package))
    return modules


def package_of(folder: Path) -> tuple[Modules, Data]:
    """A package from elsewhere: its modules, and its other files as data."""
    source = (folder / "__init__.py").read_bytes()
    modules = {folder.name: (True, code_of(folder.name, source, True))}
    modules |= modules_of(folder, f"{folder.name}.")
    data = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts:
            data[path.relative_to(folder.parent).as_posix()] = path.read_bytes()
    return modules, data


def build_variables(sysconfigdata: Path) -> bytes:
    """The module that `sysconfig` reads, without the variables that hold paths of this machine."""
    scope: dict[str, dict[str, object]] = {}
    exec(sysconfigdata.read_text(), scope)  # written by CPython's own build
    kept = {
        key: value
        for key, value in sorted(scope["build_time_vars"].items())
        if not (isinstance(value, str) and MACHINE_PATH.search(value))
    }
    kept["TZPATH"] = ""  # no zone files on disk: zoneinfo takes them from the tzdata package
    return code_of(sysconfigdata.stem, f"build_time_vars = {kept!r}".encode(), False)


def share_equal(modules: Modules, data: Data) -> tuple[Modules, Data]:
    """Makes equal contents one object, which marshal writes once: many time zones are aliases."""
    seen: dict[bytes, bytes] = {}
    return (
        {name: (package, seen.setdefault(c, c)) for name, (package, c) in sorted(modules.items())},
        {name: seen.setdefault(c, c) for name, c in sorted(data.items())},
    )


def main(out: Path, lib: Path, sysconfigdata: Path, *packages: Path) -> None:
    modules = modules_of(lib)
    data: Data = {}
    for package in packages:
        its_modules, its_data = package_of(package)
        modules |= its_modules
        data |= its_data
    modules[sysconfigdata.stem] = (False, build_variables(sysconfigdata))
    packed = marshal.dumps(share_equal(modules, data))
    out.write_bytes(packed)
    sys.stdout.write(f"{len(modules)} modules, {len(data)} data files, {len(packed)} bytes\n")


_LEAST_ARGUMENTS = 4  # itself, OUT, LIB, SYSCONFIGDATA

if __name__ == "__main__":
    if len(sys.argv) < _LEAST_ARGUMENTS:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
