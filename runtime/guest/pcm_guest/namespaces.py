"""The four objects that code in the sandbox finds as globals."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from pcm_guest.calls import Host, HostFunction
from pcm_guest.records import as_records, workflow_records

CompileWorkflow = Callable[[str, str], Callable[..., Any]]
"""From a name and its source to the workflow's `run` coroutine function."""


def _none() -> dict[str, Any]:
    return {}


def _name(name: str) -> dict[str, Any]:
    return {"name": name}


def _search(query: str, limit: int = 10) -> dict[str, Any]:
    return {"query": query, "limit": limit}


class ToolFunction(HostFunction):
    """A tool or a recipe of one: `tools.curl(url=…)`, `tools.curl.get(url=…)`."""

    __slots__ = ("list",)

    def __init__(self, host: Host, name: str) -> None:
        def arguments(*args: Any, **kwargs: Any) -> dict[str, Any]:
            if args:
                raise TypeError(f"tools.{name} takes keyword arguments only, as {name}(key=value)")
            return {"name": name, "args": kwargs}

        super().__init__(host, "tools", "call", arguments)
        self.__name__ = name
        self.list = HostFunction(host, "tools", "list_recipes", lambda: {"name": name}, as_records)

    def __getattr__(self, recipe: str) -> ToolFunction:
        if recipe.startswith("_"):
            raise AttributeError(recipe)
        return ToolFunction(self._host, f"{self.__name__}.{recipe}")


class Tools:
    """`tools`: `list()`, `search(query, limit=10)`, `NAME(**args)`, `NAME.RECIPE(**args)`, and
    `stubs()`, which tells all of them as Python signatures."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.list = HostFunction(host, "tools", "list", _none, as_records)
        self.search = HostFunction(host, "tools", "search", _search, as_records)
        self.stubs = HostFunction(host, "tools", "stubs", _none)

    def __getattr__(self, name: str) -> ToolFunction:
        if name.startswith("_"):
            raise AttributeError(name)
        return ToolFunction(self._host, name)

    def __repr__(self) -> str:
        return "<tools: list(), search(query), stubs(), NAME(**args), NAME.RECIPE(**args)>"


class WorkflowFunction(HostFunction):
    """Fetches a workflow from the host and runs it here, in the sandbox."""

    __slots__ = ("_compile", "_workflow")

    def __init__(self, host: Host, compile_workflow: CompileWorkflow, workflow: str | None) -> None:
        super().__init__(host, "workflows", "get", _name)
        self._compile = compile_workflow
        self._workflow = workflow

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The workflow's name: this object's own, or the first argument of `invoke`."""
        if self._workflow is not None and not args:
            return self._workflow
        if self._workflow is None and not args and "workflow_name" in kwargs:
            args = (kwargs.pop("workflow_name"),)
        if self._workflow is None and len(args) == 1 and isinstance(args[0], str):
            return args[0]
        expected = "" if self._workflow else "a workflow name and "
        raise TypeError(f"a workflow takes {expected}keyword arguments only")

    def _prepare(self, name: str, record: Any) -> Callable[..., Any]:
        if record is None:
            raise ValueError(f"Workflow not found: {name}")
        return self._compile(name, record["source"])

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        name = self._bind(args, kwargs)
        run = self._prepare(name, super().__call__(name))
        return self._host.run_nested(run(**kwargs))

    call_sync = __call__

    async def call_async(self, /, *args: Any, **kwargs: Any) -> Any:
        """The same as a plain call, but awaitable."""
        name = self._bind(args, kwargs)
        run = self._prepare(name, await super().call_async(name))
        return await run(**kwargs)


class Workflows:
    """`workflows`: stored coroutines, `NAME(**args)` or `invoke(workflow_name, **args)`."""

    def __init__(self, host: Host, compile_workflow: CompileWorkflow) -> None:
        self._host = host
        self._compile = compile_workflow

        def create(name: str, source: str, description: str = "") -> dict[str, Any]:
            return {"name": name, "source": source, "description": description}

        def function(op: str, arguments: Callable[..., dict[str, Any]]) -> HostFunction:
            return HostFunction(host, "workflows", op, arguments, workflow_records)

        self.list = function("list", _none)
        self.search = function("search", _search)
        self.get = function("get", _name)
        self.create = function("create", create)
        self.delete = function("delete", _name)
        self.invoke = WorkflowFunction(host, compile_workflow, None)

    def __getattr__(self, name: str) -> WorkflowFunction:
        if name.startswith("_"):
            raise AttributeError(name)
        return WorkflowFunction(self._host, self._compile, name)

    def __repr__(self) -> str:
        return "<workflows: list, search, get, create, delete, invoke, NAME(**args)>"


def _stored(data: Any) -> Any:
    """What is kept of an artifact: bytes, text, dicts and lists as they are, else its `str`."""
    if isinstance(data, (bytearray, memoryview)):
        return bytes(data)
    return data if isinstance(data, (bytes, str, dict, list)) else str(data)


class Artifacts:
    """`artifacts`: named data that outlives the session."""

    def __init__(self, host: Host) -> None:
        def save(
            name: str, data: Any, description: str = "", metadata: dict[str, Any] | None = None
        ) -> dict[str, Any]:
            data = _stored(data)
            return {"name": name, "data": data, "description": description, "metadata": metadata}

        self.save = HostFunction(host, "artifacts", "save", save, as_records)
        self.load = HostFunction(host, "artifacts", "load", _name)
        self.list = HostFunction(host, "artifacts", "list", _none, as_records)
        self.get = HostFunction(host, "artifacts", "get", _name, as_records)
        self.exists = HostFunction(host, "artifacts", "exists", _name)
        self.delete = HostFunction(host, "artifacts", "delete", _name)

    def __repr__(self) -> str:
        return "<artifacts: save, load, list, get, exists, delete>"


class Deps:
    """`deps`: the packages of the session."""

    def __init__(self, host: Host) -> None:
        def package(spec: str) -> dict[str, Any]:
            return {"package": spec}

        def installed(value: Any) -> Any:
            importlib.invalidate_caches()
            return as_records(value)

        self.add = HostFunction(host, "deps", "add", package, installed)
        self.remove = HostFunction(host, "deps", "remove", package, as_records)
        self.list = HostFunction(host, "deps", "list", _none)
        self.sync = HostFunction(host, "deps", "sync", _none, installed)

    def __repr__(self) -> str:
        return "<deps: add(spec), remove(spec), list(), sync()>"
