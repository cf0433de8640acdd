"""One session's interpreter: runs code, keeps its variables, and says how each run ended."""

from __future__ import annotations

import builtins
import json
import random
import sys
import types
from typing import Any

from pcm_guest import compiling, errors, namespaces, rewriting, streams, tracebacks
from pcm_guest.calls import Host
from pcm_guest.display import Display
from pcm_guest.encoding import encode, to_frame
from pcm_guest.loop import Loops
from pcm_guest.port import OutputLimitError, Port

_MAX_WORKFLOW_DEPTH = 16
_MAX_REPR = 10_000
_ROOM = 1 << 20  # bytes that a session must be able to allocate to be of further use
_BROKEN = (
    b'{"value":null,"error":{"kind":"memory","type":"MemoryError","message":"",'
    b'"traceback":""},"exhausted":true}'
)


class Guest:
    """The evaluator of one session."""

    def __init__(self, port: Port) -> None:
        self._streams = streams.Streams(port)
        self._display = Display(port)
        self._loops = Loops(port)
        self._runs = 0
        self._workflow_depth = 0
        self._recursion_limit = sys.getrecursionlimit()
        host = Host(port, self._loops)
        self._namespaces: dict[str, Any] = {
            "tools": namespaces.Tools(host),
            "workflows": namespaces.Workflows(host, self._compile_workflow),
            "artifacts": namespaces.Artifacts(host),
            "deps": namespaces.Deps(host),
        }
        self._main = types.ModuleType("__main__")

    def install(self) -> None:
        """Makes this interpreter the session's. Once, before the first run."""
        streams.install_refusals()
        self._streams.install()
        self._display.install()
        self._loops.install()
        setattr(builtins, rewriting.DEFERRED, rewriting.deferred)
        setattr(builtins, rewriting.READY, rewriting.ready)
        sys.setrecursionlimit = _clamped(sys.setrecursionlimit, self)
        self._main.__dict__.update(self._namespaces, __builtins__=builtins)
        for error in (errors.RPCError, errors.NamespaceError, *errors.BY_NAMESPACE.values()):
            self._main.__dict__[error.__name__] = error
        sys.modules["__main__"] = self._main

    def rehearse(self, sources: list[bytes], options: bytes) -> None:
        """Runs code to warm the interpreter before a snapshot, and forgets that it did."""
        before = dict(self._main.__dict__)
        for _ in range(8):  # often enough for the specialising interpreter
            for source in sources:
                self.run(options, source)
        self._main.__dict__.clear()
        self._main.__dict__.update(before)
        self._runs = 0

    @property
    def recursion_limit(self) -> int:
        """The most that `sys.setrecursionlimit` grants."""
        return self._recursion_limit

    def run(self, options: bytes, source: bytes) -> bytes:
        """Runs `source` and describes how that went.

        `options`: `repr` (always give the value's repr), `value_bytes` (the longest value to send),
        `recursion` (the highest recursion limit to grant). The outcome: `value` and `types` (see
        `encoding`), `repr` where asked for or where there is no encoding, `error` with `kind`,
        `type`, `message`, `traceback`, and `exhausted` when no further run could work.
        """
        try:
            settings = json.loads(options)
            self._begin(settings["recursion"])
            return self._evaluate(source, settings)
        except MemoryError:
            return _BROKEN

    def _begin(self, recursion_limit: int) -> None:
        self._streams.install()
        self._recursion_limit = recursion_limit
        self._workflow_depth = 0
        self._runs += 1
        if self._runs == 1:
            random.seed()  # a snapshot holds one state for all its sessions

    def _evaluate(self, source: bytes, settings: dict[str, Any]) -> bytes:
        try:
            try:
                program = compiling.compile_program(source, f"<run {self._runs}>")
            except Exception as error:  # a MemoryError of the parser means: nested too deep
                return _failure("syntax", error)
            return self._success(self._execute(program), settings)
        except SystemExit as error:
            return _NOTHING if error.code in (None, 0) else _failure("exception", error)
        except OutputLimitError as error:
            return _failure("output", error)
        except BaseException as error:
            if not tracebacks.is_out_of_memory(error):
                return _failure("exception", error)
            failure = _failure("memory", error)
        return failure if _has_room() else failure[:-1] + b',"exhausted":true}'

    def _execute(self, program: compiling.Program) -> Any:
        scope = self._main.__dict__
        if program.awaits:
            return self._loops.run(program.execute_async(scope))
        return self._loops.context.run(program.execute, scope)

    def _success(self, value: Any, settings: dict[str, Any]) -> bytes:
        if value is None:
            return _NOTHING
        self._display.show_result(value)
        beside = ""
        try:
            text, types_beside = encode(value)
            if len(text) > settings["value_bytes"]:
                raise ValueError
        except (TypeError, ValueError, RecursionError):
            text = "null"
        else:
            if types_beside:
                beside = f',"types":{json.dumps(types_beside)}'
        if settings.get("repr") or text == "null":
            shown = to_frame({"repr": tracebacks.safe_repr(value, _MAX_REPR)})
            return b'{"value":%b%b,%b' % (text.encode(), beside.encode(), shown[1:])
        return f'{{"value":{text}{beside}}}'.encode()

    def _compile_workflow(self, name: str, source: str) -> compiling.Workflow:
        run = compiling.compile_workflow(
            name, source, {"__name__": "__workflow__", **self._namespaces}
        )

        async def counted(**arguments: Any) -> Any:
            if self._workflow_depth >= _MAX_WORKFLOW_DEPTH:
                message = f"workflows call each other more than {_MAX_WORKFLOW_DEPTH} deep"
                raise errors.WorkflowError("invoke", message, "RecursionError")
            self._workflow_depth += 1
            try:
                return await run(**arguments)
            finally:
                self._workflow_depth -= 1

        return counted


_NOTHING = b'{"value":null}'


def _failure(kind: str, error: BaseException) -> bytes:
    name, message, traceback = tracebacks.describe(error)
    described = {"kind": kind, "type": name, "message": message, "traceback": traceback}
    return to_frame({"value": None, "error": described})


def _has_room() -> bool:
    try:
        return len(bytes(_ROOM)) == _ROOM
    except MemoryError:
        return False


def _clamped(set_limit: Any, guest: Guest) -> Any:
    def setrecursionlimit(limit: int, /) -> None:
        """Sets the recursion limit, up to what the sandbox grants."""
        set_limit(min(limit, guest.recursion_limit))

    return setrecursionlimit
