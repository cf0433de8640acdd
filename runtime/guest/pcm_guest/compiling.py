"""From source to code objects, by the evaluation rule."""

from __future__ import annotations

from ast import Expr, Expression, Module, PyCF_ALLOW_TOP_LEVEL_AWAIT, PyCF_ONLY_AST
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from io import BytesIO, StringIO
from linecache import cache as _lines
from tokenize import detect_encoding
from types import CodeType
from typing import Any

from pcm_guest.rewriting import rewrite

# What is used at run time is bound here: code in the sandbox may replace the names in its module.
_FLAGS = PyCF_ALLOW_TOP_LEVEL_AWAIT
_IS_COROUTINE = 0x80  # inspect.CO_COROUTINE


@dataclass(slots=True)
class Program:
    """The statements of a run, and the expression that is its value."""

    body: CodeType | None
    value: CodeType | None

    @property
    def awaits(self) -> bool:
        """Whether there is an `await` at top level."""
        body, value = self.body, self.value
        return bool(
            (value is not None and value.co_flags & _IS_COROUTINE)
            or (body is not None and body.co_flags & _IS_COROUTINE)
        )

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
    in one. Raises whatever Python raises for source that does not compile.

    The source is read as Python reads a file: UTF-8, unless its first lines name another encoding.
    """
    text = _decode(source)
    _remember_source(text, filename)
    if "await" in text or "async" in text:
        tree = _parse(text, filename)
        rewrite(tree)
        return Program(*_parts_of(tree, filename))
    return Program(*compile_parts(text, filename, _FLAGS))


Parts = tuple[CodeType | None, CodeType | None]
"""The code of statements, and that of the expression after them."""


def _compile_parts(text: str, filename: str, flags: int) -> Parts:
    if _may_be_expression(text):
        try:
            return None, compile(text, filename, "eval", flags, dont_inherit=True)
        except Exception:
            pass  # the long way tells what is wrong with it, if anything is
    return _parts_of(_parse(text, filename), filename)


compile_parts: Callable[[str, str, int], Parts] = _compile_parts
"""Parses and compiles what needs no rewriting. A wall that has a faster way puts it here."""


def _parts_of(tree: Module, filename: str) -> Parts:
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], Expr) else None
    body = compile(tree, filename, "exec", _FLAGS, dont_inherit=True) if tree.body else None
    if not isinstance(last, Expr):
        return body, None
    return body, compile(Expression(last.value), filename, "eval", _FLAGS, dont_inherit=True)


def _decode(source: bytes) -> str:
    source = source.removeprefix(b"\xef\xbb\xbf")
    if b"coding" in source and b"coding" in b"".join(source.split(b"\n", 2)[:2]):
        try:
            return source.decode(detect_encoding(BytesIO(source).readline)[0])
        except LookupError as error:  # there is such a codec, but it is not one of text
            raise SyntaxError(str(error)) from None
    return source.decode("utf-8")


_STATEMENTS = ("import ", "from ", "del ", "raise ", "assert ", "pass", "global ", "return", "@")


def _may_be_expression(text: str) -> bool:
    """Whether it pays to try the short way: without a tree in between, compiling takes a third.

    A backslash may make the parser warn, and it would warn again on the long way. An indented
    expression is an error in a program.
    """
    return not (
        "\n" in text
        or "\\" in text
        or ";" in text
        or " = " in text
        or text[:1].isspace()
        or text.startswith(_STATEMENTS)
    )


Workflow = Callable[..., Coroutine[Any, Any, Any]]


def compile_workflow(name: str, source: str, scope: dict[str, Any]) -> Workflow:
    """Executes a workflow's module in `scope` and gives its `run` coroutine function."""
    filename = f"<workflow {name}>"
    _remember_source(source, filename)
    tree = _parse(source, filename)
    rewrite(tree)
    exec(compile(tree, filename, "exec", dont_inherit=True), scope)
    run: Workflow | None = scope.get("run")
    if not callable(run):
        raise ValueError(f"Workflow {name} has no `async def run(...)`")
    return run


def _parse(text: str, filename: str) -> Module:
    tree = compile(text, filename, "exec", PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, Module)
    return tree


_MAX_SOURCES = 500
_MAX_LINE = 1000  # a traceback may show the same line a thousand times
_remembered: dict[str, None] = {}
"""The names of the sources that are kept, the oldest first."""


def _remember_source(text: str, filename: str) -> None:
    """Lets tracebacks and `inspect` show the lines."""
    if "\n" in text or "\r" in text:
        # Not by splitlines(): Python knows fewer ends.
        lines = [_shown(line) for line in StringIO(text, newline=None)]
    else:
        lines = [_shown(text)] if text else []
    _lines[filename] = (len(text), None, lines, filename)
    _remembered.pop(filename, None)
    _remembered[filename] = None
    if len(_remembered) > _MAX_SOURCES:
        _forget(next(iter(_remembered)))


def _shown(line: str) -> str:
    """A line as lines of files are; Python 3.11 counts its end where it points at a column."""
    if len(line) > _MAX_LINE:
        return f"{line[:_MAX_LINE]}…\n"
    return line if line[-1] == "\n" else f"{line}\n"


def forget_sources() -> None:
    """Forgets the source of all runs and workflows."""
    for filename in list(_remembered):
        _forget(filename)


def _forget(filename: str) -> None:
    _remembered.pop(filename)
    _lines.pop(filename, None)
