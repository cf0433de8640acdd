"""From source to code objects, by the evaluation rule."""

from __future__ import annotations

import ast
import importlib.util
import linecache
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import CodeType
from typing import Any

from pcm_guest.rewriting import rewrite

_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_IS_COROUTINE = 0x80  # inspect.CO_COROUTINE


@dataclass(slots=True)
class Program:
    """The statements of a run, and the expression that is its value."""

    body: CodeType | None
    value: CodeType | None

    @property
    def awaits(self) -> bool:
        """Whether there is an `await` at top level."""
        return any(code.co_flags & _IS_COROUTINE for code in (self.body, self.value) if code)

    def execute(self, scope: dict[str, Any]) -> Any:
        """Runs it to its end and gives its value."""
        if self.body is not None:
            exec(self.body, scope)
        return None if self.value is None else eval(self.value, scope)

    async def execute_async(self, scope: dict[str, Any]) -> Any:
        """The same for a program that awaits."""
        value: Any = None
        for code in (self.body, self.value):
            if code is not None:
                value = eval(code, scope)
                if code.co_flags & _IS_COROUTINE:
                    value = await value
        return None if self.value is None else value


def compile_program(source: bytes, filename: str) -> Program:
    """Parses and compiles. The value is that of the last top-level expression, if the source ends
    in one. Raises whatever Python raises for source that does not compile."""
    _remember_source(source, filename)
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST | _FLAGS, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    if b"await" in source or b"async" in source:
        rewrite(tree)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    body = compile(tree, filename, "exec", _FLAGS, dont_inherit=True) if tree.body else None
    value = None
    if isinstance(last, ast.Expr):
        expression = ast.Expression(last.value)
        value = compile(expression, filename, "eval", _FLAGS, dont_inherit=True)
    return Program(body, value)


Workflow = Callable[..., Coroutine[Any, Any, Any]]


def compile_workflow(name: str, source: str, scope: dict[str, Any]) -> Workflow:
    """Executes a workflow's module in `scope` and gives its `run` coroutine function."""
    filename = f"<workflow {name}>"
    encoded = source.encode("utf-8", "replace")
    _remember_source(encoded, filename)
    tree = compile(encoded, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    rewrite(tree)
    exec(compile(tree, filename, "exec", dont_inherit=True), scope)
    run: Workflow | None = scope.get("run")
    if not callable(run):
        raise ValueError(f"Workflow {name} has no `async def run(...)`")
    return run


def _remember_source(source: bytes, filename: str) -> None:
    """Lets tracebacks and `inspect` show the lines."""
    try:
        text = source.decode()
    except UnicodeDecodeError:
        try:
            text = importlib.util.decode_source(source)
        except (SyntaxError, UnicodeDecodeError):
            return  # compile() will say what is wrong with it
    linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
