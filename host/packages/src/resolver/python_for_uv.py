"""Answers uv for the Python of Pyodide, of which it asks what it resolves for.

uv knows the platform of Pyodide, but by no name that an option takes: it asks an interpreter, by a
script of its own. That script runs here, in a Python of this machine which says of itself what
Pyodide would say. The first argument is the path that uv knows this by, the others are for Python.
"""

import platform
import sys
import sysconfig
from collections import namedtuple
from typing import Any

VersionInfo = namedtuple("VersionInfo", "major minor micro releaselevel serial")

VERSION = VersionInfo(3, 14, 2, "final", 0)
FULL_VERSION = "3.14.2"
VARIABLES = {
    "PYEMSCRIPTEN_PLATFORM_VERSION": "2026_0",
    "PYODIDE_ABI_VERSION": "2026_0",
    "Py_DEBUG": 0,
    "Py_GIL_DISABLED": 0,
}
get_config_var = sysconfig.get_config_var


def get_config_var_for_sandbox(name: str) -> Any:
    return VARIABLES[name] if name in VARIABLES else get_config_var(name)


def pretend(path: str) -> None:
    sysconfig.get_config_vars()  # read while this still knows its own platform
    sysconfig.get_config_var = get_config_var_for_sandbox
    sysconfig.get_platform = lambda: "emscripten-5.0.3-wasm32"
    platform.machine = lambda: "wasm32"
    platform.python_implementation = lambda: "CPython"
    platform.python_version = lambda: FULL_VERSION
    platform.release = lambda: ""
    platform.system = lambda: "Emscripten"
    platform.version = lambda: ""
    sys.executable = sys._base_executable = path  # type: ignore[attr-defined]
    sys.implementation.name = "cpython"
    sys.implementation.version = VERSION  # type: ignore[assignment]
    sys.platform = "emscripten"
    sys.version_info = VERSION  # type: ignore[assignment]


def main(path: str, arguments: list[str]) -> None:
    if "-c" not in arguments[:-1]:
        sys.exit("there is nothing to run")
    # Before it stand options, as `-I`, with which this runs.
    _, program, *rest = arguments[arguments.index("-c") :]
    sys.argv = ["-c", *rest]
    pretend(path)
    exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})


main(sys.argv[1], sys.argv[2:])
