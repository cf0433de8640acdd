"""Imports modules, and reads the data files of packages, from memory.

This module is executed before anything but built-in and frozen modules can be imported, so it
imports the rest where it is used.
"""

import marshal
import sys

TYPE_CHECKING = False  # as in typing, which cannot be imported yet
if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec
    from io import BytesIO, TextIOWrapper
    from types import CodeType, ModuleType
else:
    ModuleSpec = type(sys.__spec__)

ROOT = "/std/"

_modules: dict[str, tuple[bool, bytes]] = {}
_data: dict[str, bytes] = {}


def install(modules: dict[str, tuple[bool, bytes]], data: dict[str, bytes]) -> None:
    """Makes these tables the source of modules, after those that are built in or frozen.

    Files come last, so that what is in memory costs no look at them. There are none until somebody
    puts folders on `sys.path`.
    """
    _modules.update(modules)
    _data.update(data)
    finders = {getattr(finder, "__name__", ""): finder for finder in sys.meta_path}
    sys.meta_path[:] = [
        finders["BuiltinImporter"],
        finders["FrozenImporter"],
        MemoryImporter,
        finders["PathFinder"],
    ]
    sys.path.clear()
    sys.path_importer_cache.clear()


class Resource:
    """A file or folder inside a package, as `importlib.resources` wants it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.name = path.rpartition("/")[2]

    def joinpath(self, *names: object) -> "Resource":
        return Resource("/".join([self._path, *map(str, names)]))

    __truediv__ = joinpath

    def is_file(self) -> bool:
        return self._path in _data

    def is_dir(self) -> bool:
        return any(path.startswith(self._path + "/") for path in _data)

    def iterdir(self) -> "Iterator[Resource]":
        start = len(self._path) + 1
        inside = (path[start:] for path in _data if path.startswith(self._path + "/"))
        return (self.joinpath(name) for name in sorted({rest.partition("/")[0] for rest in inside}))

    def read_bytes(self) -> bytes:
        try:
            return _data[self._path]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory", self._path) from None

    def read_text(self, encoding: str | None = None, errors: str = "strict") -> str:
        return self.read_bytes().decode(encoding or "utf-8", errors)

    def open(
        self,
        mode: str = "r",
        encoding: str | None = None,
        errors: str = "strict",
        **_buffering: object,
    ) -> "BytesIO | TextIOWrapper":
        import io  # noqa: PLC0415 (see above)

        content = io.BytesIO(self.read_bytes())
        return content if "b" in mode else io.TextIOWrapper(content, encoding or "utf-8", errors)


class ResourceReader:
    """Gives `importlib.resources` the root of a package."""

    def __init__(self, package: str) -> None:
        self._package = package

    def files(self) -> Resource:
        return Resource(self._package.replace(".", "/"))


class MemoryImporter:
    """Finder and loader of the modules in memory."""

    @classmethod
    def find_spec(
        cls, name: str, path: object = None, target: object = None
    ) -> "ModuleSpec | None":
        entry = _modules.get(name)
        if entry is None:
            return None
        return ModuleSpec(
            name,
            cls,  # type: ignore[arg-type]  # the class itself is the loader
            origin=ROOT + name.replace(".", "/"),
            is_package=entry[0],
        )

    @staticmethod
    def create_module(spec: object) -> None:
        return None

    @classmethod
    def exec_module(cls, module: "ModuleType") -> None:
        exec(cls.get_code(module.__spec__.name), module.__dict__)  # type: ignore[union-attr]

    @classmethod
    def get_code(cls, name: str) -> "CodeType":
        code: CodeType = marshal.loads(_modules[name][1])
        return code

    @staticmethod
    def get_source(name: str) -> None:
        return None

    @staticmethod
    def is_package(name: str) -> bool:
        return _modules[name][0]

    @staticmethod
    def get_data(path: str) -> bytes:
        return Resource(path.removeprefix(ROOT)).read_bytes()

    @staticmethod
    def get_resource_reader(name: str) -> ResourceReader:
        return ResourceReader(name)
