"""Makes `await tools.x()` and `asyncio.gather(tools.x(), tools.y())` mean what they say.

A namespace call is an ordinary call: it blocks and returns its value. Where the source says that
the call is awaited or handed to asyncio, it must return an awaitable instead. That is decided in
the syntax tree: in the places below a call `f(…)` becomes `deferred(f)(…)`, and `deferred` gives
the asynchronous twin of a host function and leaves every other callable as it is.

The places:

1. `await f(…)`;
2. a call among the positional arguments of `gather`, or as the first argument of `wait_for`,
   `as_completed`, `shield`, `create_task`, `ensure_future`, `run_until_complete`, `asyncio.wait`
   or `asyncio.run`, also inside a list, tuple, set, comprehension, conditional expression or
   starred argument there;
3. the same forms assigned or appended to a name, when every use of that name in the same function
   (or, at top level, in the same run) is one of: awaited, an argument of a function of 2, or
   `name.append(…)`: `jobs = [tools.x(i=i) for i in ids]` and then `await asyncio.gather(*jobs)`.

Anywhere else the call blocks and gives a value. Awaiting such a value gives the value, so code that
keeps a result in a variable and awaits it later still works, one call at a time. `f.call_sync(…)`
and `f.call_async(…)` say explicitly which is meant.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Generator, Iterator
from typing import Any

from pcm_guest.calls import HostFunction

DEFERRED = "__pcm_deferred__"
READY = "__pcm_ready__"
"""The names under which `deferred` and `ready` are found by rewritten code."""

_TAKES_ALL = frozenset({"gather"})
_TAKES_FIRST = frozenset(
    "wait_for as_completed shield create_task ensure_future run_until_complete".split()
)
_TAKES_FIRST_OF_ASYNCIO = frozenset({"run", "wait"})  # too common as names of other functions
_Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def deferred(function: Callable[..., Any]) -> Callable[..., Any]:
    """The asynchronous twin of a host function; any other callable as it is."""
    return function.call_async if isinstance(function, HostFunction) else function


class _Ready:
    """An awaitable that is done."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._value
        yield


def ready(value: Any) -> Any:
    """What can be awaited as it is, anything else as an awaitable that gives it."""
    return value if inspect.isawaitable(value) else _Ready(value)


def rewrite(tree: ast.Module) -> None:
    """Rewrites the calls of `tree` in place."""
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.Await):
            if isinstance(node.value, ast.Call):
                _defer(node.value)
            else:
                node.value = _wrapped(READY, node.value)
        else:
            for argument in _awaitable_arguments(node):
                _defer(argument)
            if isinstance(node, (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef)):
                _rewrite_names(node)


def _awaitable_arguments(node: ast.AST) -> list[ast.expr]:
    """The arguments of a call of asyncio that are to be awaitables."""
    if not isinstance(node, ast.Call):
        return []
    function = node.func
    if isinstance(function, ast.Attribute):
        name = function.attr
        if name in _TAKES_FIRST_OF_ASYNCIO and getattr(function.value, "id", "") == "asyncio":
            return node.args[:1]
    elif isinstance(function, ast.Name):
        name = function.id
    else:
        return []
    if name in _TAKES_ALL:
        return node.args
    return node.args[:1] if name in _TAKES_FIRST else []


def _wrapped(function: str, expression: ast.expr) -> ast.Call:
    call = ast.Call(ast.Name(function, ast.Load()), [expression], [])
    return ast.fix_missing_locations(ast.copy_location(call, expression))


def _defer(expression: ast.expr) -> None:
    """Rewrites the calls that `expression` would give its user as awaitables."""
    for call in _given_calls(expression):
        if getattr(getattr(call.func, "func", None), "id", "") != DEFERRED:
            call.func = _wrapped(DEFERRED, call.func)


def _given_calls(expression: ast.expr) -> Iterator[ast.Call]:
    if isinstance(expression, ast.Call):
        yield expression
    elif isinstance(expression, (ast.List, ast.Tuple, ast.Set)):
        for element in expression.elts:
            yield from _given_calls(element)
    elif isinstance(expression, (ast.ListComp, ast.SetComp, ast.GeneratorExp)):
        yield from _given_calls(expression.elt)
    elif isinstance(expression, ast.Starred):
        yield from _given_calls(expression.value)
    elif isinstance(expression, ast.IfExp):
        yield from _given_calls(expression.body)
        yield from _given_calls(expression.orelse)


def _rewrite_names(scope: _Scope) -> None:
    """Place 3: names that hold nothing but awaitables-to-be."""
    stored: dict[str, list[ast.expr]] = {}
    waited: set[str] = set()
    harmless: set[ast.Name] = set()
    for node in _own_nodes(scope):
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            _note_assigned(node, stored, harmless)
        elif isinstance(node, ast.Await):
            _note_waited(node.value, waited, harmless)
        elif isinstance(node, ast.Call):
            _note_append(node, stored, harmless)
            for argument in _awaitable_arguments(node):
                _note_waited(argument, waited, harmless)
    if not waited:
        return
    named = [node for node in ast.walk(scope) if isinstance(node, ast.Name)]
    for name in waited & stored.keys():
        if all(node in harmless for node in named if node.id == name):
            for value in stored[name]:
                _defer(value)


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions and classes inside it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, _SCOPES):
            yield from _own_nodes(child)


def _note_assigned(
    node: ast.Assign | ast.AnnAssign, stored: dict[str, list[ast.expr]], harmless: set[ast.Name]
) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    if len(targets) == 1 and isinstance(targets[0], ast.Name) and node.value is not None:
        stored.setdefault(targets[0].id, []).append(node.value)
        harmless.add(targets[0])


def _note_waited(expression: ast.expr, waited: set[str], harmless: set[ast.Name]) -> None:
    if isinstance(expression, ast.Starred):
        expression = expression.value
    if isinstance(expression, ast.Call) and getattr(expression.func, "id", "") == READY:
        expression = expression.args[0]
    if isinstance(expression, ast.Name):
        waited.add(expression.id)
        harmless.add(expression)


def _note_append(
    call: ast.Call, stored: dict[str, list[ast.expr]], harmless: set[ast.Name]
) -> None:
    function = call.func
    if (
        isinstance(function, ast.Attribute)
        and function.attr == "append"
        and isinstance(function.value, ast.Name)
        and len(call.args) == 1
    ):
        stored.setdefault(function.value.id, []).append(call.args[0])
        harmless.add(function.value)
