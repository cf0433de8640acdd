"""Makes `await tools.x()` and `asyncio.gather(tools.x(), tools.y())` mean what they say.

A namespace call is an ordinary call: it blocks and returns its value. Where the source says that
the call is awaited or handed to asyncio, it must return an awaitable instead. That is decided in
the syntax tree: in the places below a call `f(…)` becomes `deferred(f)(…)`, and `deferred` gives
the asynchronous twin of a host function and leaves every other callable as it is.

The places:

1. `await f(…)`, also inside a conditional expression there;
2. a call among the positional arguments of `gather`, or as the first argument of `wait_for`,
   `as_completed`, `shield`, `create_task`, `ensure_future`, `run_until_complete` or `asyncio.run`,
   also inside a list, tuple, set, comprehension, conditional expression or starred argument there;
3. the same forms assigned or appended to a name, when every use of that name in the same function
   (or, at top level, in the same run) is one of: awaited, an argument of a function of 2, or
   `name.append(…)`: `jobs = [tools.x(i=i) for i in ids]` and then `await asyncio.gather(*jobs)`.

Anywhere else the call blocks and gives a value. Awaiting such a value gives the value, so code that
keeps a result in a variable and awaits it later still works, one call at a time. `f.call_sync(…)`
and `f.call_async(…)` say explicitly which is meant.
"""

from __future__ import annotations

from ast import (
    AST,
    AnnAssign,
    Assign,
    AsyncFunctionDef,
    Attribute,
    Await,
    Call,
    ClassDef,
    FunctionDef,
    GeneratorExp,
    Global,
    IfExp,
    Lambda,
    List,
    ListComp,
    Load,
    Module,
    Name,
    Nonlocal,
    Set,
    SetComp,
    Starred,
    Tuple,
    copy_location,
    expr,
    iter_child_nodes,
    walk,
)
from collections.abc import Callable, Generator, Iterator
from inspect import isawaitable
from typing import Any

from pcm_guest.calls import HostFunction

DEFERRED = "__pcm_deferred__"
READY = "__pcm_ready__"
"""The names under which `deferred` and `ready` are found by rewritten code."""

_TAKES_ALL = frozenset({"gather"})
_TAKES_FIRST = frozenset(
    "wait_for as_completed shield create_task ensure_future run_until_complete".split()
)
_TAKES_FIRST_OF_ASYNCIO = frozenset({"run"})  # too common as a name of other functions
_Scope = Module | FunctionDef | AsyncFunctionDef | Lambda
_SCOPES = (FunctionDef, AsyncFunctionDef, Lambda, ClassDef)


def deferred(function: Callable[..., Any]) -> Callable[..., Any]:
    """The asynchronous twin of a host function; any other callable as it is."""
    return function.call_async if isinstance(function, HostFunction) else function


class _Ready:
    """An awaitable that is done."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from ()
        return self._value


def ready(value: Any) -> Any:
    """What can be awaited as it is, anything else as an awaitable that gives it."""
    return value if isawaitable(value) else _Ready(value)


def rewrite(tree: Module) -> None:
    """Rewrites the calls of `tree` in place."""
    waits: list[Await] = []
    awaited: list[expr] = []
    for node in walk(tree):  # to its end before anything is rewritten
        if isinstance(node, Await):
            waits.append(node)
            awaited.append(node.value)
        elif isinstance(node, Call):
            awaited += _awaitable_arguments(node)
        elif isinstance(node, (Module, FunctionDef, AsyncFunctionDef)):
            awaited += _held_awaitables(node)
    for call in {call for expression in awaited for call in _given_calls(expression)}:
        call.func = _wrapped(DEFERRED, call.func)
    for node in waits:
        if not isinstance(node.value, Call):
            node.value = _wrapped(READY, node.value)


def _awaitable_arguments(call: Call) -> list[expr]:
    """The arguments of a call of asyncio that are to be awaitables."""
    function = call.func
    if isinstance(function, Attribute):
        name = function.attr
        if name in _TAKES_FIRST_OF_ASYNCIO and _name_of(function.value) == "asyncio":
            return call.args[:1]
    else:
        name = _name_of(function)
    if name in _TAKES_ALL:
        return call.args
    return call.args[:1] if name in _TAKES_FIRST else []


def _name_of(expression: AST | None) -> str:
    """The name that an expression is; empty when it is no name."""
    return expression.id if isinstance(expression, Name) else ""


def _wrapped(function: str, expression: expr) -> Call:
    name = copy_location(Name(function, Load()), expression)
    return copy_location(Call(name, [expression], []), expression)


def _given_calls(expression: expr) -> Iterator[Call]:
    """The calls whose results `expression` gives to its user."""
    pending = [expression]
    while pending:
        given = pending.pop()
        if isinstance(given, Call):
            yield given
        elif isinstance(given, (List, Tuple, Set)):
            pending.extend(given.elts)
        elif isinstance(given, (ListComp, SetComp, GeneratorExp)):
            pending.append(given.elt)
        elif isinstance(given, Starred):
            pending.append(given.value)
        elif isinstance(given, IfExp):
            pending += (given.body, given.orelse)


def _held_awaitables(scope: _Scope) -> list[expr]:
    """Place 3: what is stored in names that hold nothing but awaitables-to-be."""
    stored: dict[str, list[expr]] = {}
    waited: set[str] = set()
    harmless: set[Name] = set()
    shared: set[str] = set()
    for node in _own_nodes(scope):
        if isinstance(node, (Assign, AnnAssign)):
            _note_assigned(node, stored, harmless)
        elif isinstance(node, Await):
            _note_waited(node.value, waited, harmless)
        elif isinstance(node, Call):
            _note_append(node, stored, harmless)
            for argument in _awaitable_arguments(node):
                _note_waited(argument, waited, harmless)
        elif isinstance(node, (Global, Nonlocal)):
            shared.update(node.names)  # their other uses are out of sight
    if not waited & stored.keys():
        return []
    for node in walk(scope):
        if isinstance(node, Name) and node not in harmless:
            shared.add(node.id)
    held = (waited & stored.keys()) - shared
    return [value for name in held for value in stored[name]]


def _own_nodes(scope: AST) -> Iterator[AST]:
    """The nodes of a scope without those of the functions and classes inside it."""
    pending = [scope]
    while pending:
        for child in iter_child_nodes(pending.pop()):
            yield child
            if not isinstance(child, _SCOPES):
                pending.append(child)


def _note_assigned(
    node: Assign | AnnAssign, stored: dict[str, list[expr]], harmless: set[Name]
) -> None:
    targets = node.targets if isinstance(node, Assign) else [node.target]
    if len(targets) == 1 and isinstance(targets[0], Name) and node.value is not None:
        stored.setdefault(targets[0].id, []).append(node.value)
        harmless.add(targets[0])


def _note_waited(expression: expr, waited: set[str], harmless: set[Name]) -> None:
    if isinstance(expression, Starred):
        expression = expression.value
    if isinstance(expression, Name):
        waited.add(expression.id)
        harmless.add(expression)


def _note_append(call: Call, stored: dict[str, list[expr]], harmless: set[Name]) -> None:
    function = call.func
    if (
        isinstance(function, Attribute)
        and function.attr == "append"
        and isinstance(function.value, Name)
        and len(call.args) == 1
    ):
        stored.setdefault(function.value.id, []).append(call.args[0])
        harmless.add(function.value)
