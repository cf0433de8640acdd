"""Runs pip for the Python of the sandbox instead of the one that runs this.

The first argument is the version of that Python, the others are for pip.

pip takes the version and the platform of the target by its options, but two things it takes from
the running interpreter: the values of markers, and (`pip install` in older versions) the version
that a package's `Requires-Python` is compared with.
"""

import sys
from typing import Any

from pip._internal.cli.main import main
from pip._internal.commands.install import InstallCommand
from pip._vendor.packaging import markers

FULL_VERSION = sys.argv.pop(1)
VERSION = tuple(int(number) for number in FULL_VERSION.split("."))
MARKERS = {
    "implementation_name": "cpython",
    "implementation_version": FULL_VERSION,
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Emscripten",
    "platform_version": "",
    "python_full_version": FULL_VERSION,
    "python_version": ".".join(map(str, VERSION[:2])),
    "sys_platform": "emscripten",
}

make_resolver = InstallCommand.make_resolver


def make_resolver_for_sandbox(*args: Any, **options: Any) -> Any:
    options["py_version_info"] = VERSION
    return make_resolver(*args, **options)


markers.default_environment = lambda: dict(MARKERS)
InstallCommand.make_resolver = staticmethod(make_resolver_for_sandbox)
if not markers.Marker('sys_platform == "emscripten"').evaluate():
    sys.exit("ERROR: this pip takes markers from elsewhere: use uv, or another version of pip")
sys.exit(main(sys.argv[1:]))
