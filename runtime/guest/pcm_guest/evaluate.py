"""One session's interpreter: runs code, keeps its variables, and says how each run ended."""

from __future__ import annotations

import gc
import tempfile
from builtins import BaseException, KeyboardInterrupt, MemoryError, SystemExit
from contextvars import ContextVar
from dataclasses import dataclass, field
from random import seed
from sys import gettrace, settrace
from typing import TYPE_CHECKING, Any

from pcm_guest import compiling, errors, namespaces, network, rewriting, streams, tracebacks
from pcm_guest.calls import Host
from pcm_guest.display import Display
from pcm_guest.encoding import encode, to_frame, types_field
from pcm_guest.interpreter import DamagedError, Interpreter
from pcm_guest.interrupts import Interrupts
from pcm_guest.loop import Loops, MakeLoop, OutsideOfLoop, PortLoop
from pcm_guest.port import OutputLimitError, Port

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_WORKFLOW_DEPTH = 16
_MAX_REPR = 10_000
_ROOM = 1 << 20  # bytes that a session must be able to allocate to be of further use
_BROKEN = (
    b'{"value":null,"error":{"kind":"memory","type":"MemoryError","message":"",'
    b'"traceback":""},"exhausted":true}'
)
_workflow_depth = ContextVar("_workflow_depth", default=0)


@dataclass(slots=True)
class Parts:
    """What a session has of its own of what an interpreter has one of.

    A backend whose sessions share an interpreter brings other parts.
    """

    streams: streams.Streams
    interrupts: Interrupts = field(default_factory=Interrupts)
    interpreter: Callable[[dict[str, Any]], Interpreter] = Interpreter


class Guest:
    """The evaluator of one session."""

    def __init__(
        self, port: Port, make_loop: MakeLoop = PortLoop, *, parts: Parts | None = None
    ) -> None:
        parts = parts or Parts(streams.Streams(port))
        self._streams = parts.streams
        self.display = Display(port)
        self._loops = Loops(port, make_loop)
        self.interrupts = parts.interrupts
        self._runs = 0
        self._host = host = Host(port, self._loops)
        self._names: dict[str, Any] = {
            "tools": namespaces.Tools(host),
            "workflows": namespaces.Workflows(host, self._compile_workflow),
            "artifacts": namespaces.Artifacts(host),
            "deps": namespaces.Deps(host),
            **{error.__name__: error for error in errors.ALL},
        }
        self._interpreter = parts.interpreter(self._names)
        self.renewals: list[Callable[[], object]] = [seed, _renew_names]
        """What gives a session numbers of its own, where others come from the same state."""

        self.afterwards: list[Callable[[], object]] = []
        """What is done after the code of every run, as part of it."""

    def install(self) -> None:
        """Makes this interpreter the session's. Once, before the first run."""
        streams.install_refusals()
        self._streams.install()
        self._loops.install()
        self._interpreter.install(
            display=self.display,
            **streams.refusing_builtins(),
            **{rewriting.DEFERRED: rewriting.deferred, rewriting.READY: rewriting.ready},
        )

    def install_network(self) -> None:
        """Lets `http.client` and `urllib.request` work through the host. For an interpreter without
        sockets; once, before the first run."""
        network.install(self._host)

    def rehearse(self, sources: list[bytes], options: bytes) -> None:
        """Runs code to warm the interpreter before a snapshot, and forgets that it did."""
        for _ in range(8):  # often enough for the specialising interpreter
            for source in sources:
                self.run(options, source)
        self.forget()

    def forget(self) -> None:
        """Drops the variables of the session, and what else is left of the runs before."""
        self._interpreter.forget()
        compiling.forget_sources()
        self._runs = 0

    def run(self, options: bytes, source: bytes) -> bytes:
        """Runs `source` and describes how that went.

        `options`: numbers with a blank between them: 1 to give the value's repr in any case, else
        0; the longest value to send; the highest recursion limit to grant; 1 when other sessions
        were in this one's state, else 0. The outcome: `value` and `types` (see `encoding`), `repr`
        where asked for or where there is no encoding, `error` with `kind`, `type`, `message`,
        `traceback`, and `exhausted` when no further run could work.
        """
        try:
            show, value_bytes, recursion, shared = map(int, options.split())
            self._begin(recursion)
            if shared:
                for renew in self.renewals:
                    renew()
            return self._evaluate(source, bool(show), value_bytes)
        except MemoryError:
            return _BROKEN
        except KeyboardInterrupt as error:  # while it told of a failure
            self.interrupts.allowed = False
            self._recover()
            return _last_word(error)
        except BaseException as error:  # the evaluator was damaged
            self.interrupts.allowed = False
            return _exhausted(_last_word(error))
        finally:
            self.interrupts.allowed = False

    def restore_streams(self) -> None:
        """Undoes what the code of a run did to the streams, for whoever writes to them then."""
        self._streams.install()

    def _begin(self, recursion_limit: int) -> None:
        self.interrupts.begin()
        self._interpreter.grant_recursion(recursion_limit)
        self.restore_streams()
        self._loops.install()
        self._runs += 1

    def _recover(self) -> None:
        """Undoes what an interrupt may have left half done. Whoever calls this has set that nothing
        interrupts it, without a call: the next interrupt may come with any."""
        self._interpreter.leave()
        self._loops.renew()

    def _evaluate(self, source: bytes, show: bool, value_bytes: int) -> bytes:
        try:
            try:
                program = compiling.compile_program(source, f"<run {self._runs}>")
            except MemoryError as error:
                if len(source) > _ROOM or not _has_room():
                    raise
                return _failure("syntax", error)  # the parser says so of what is nested too deep
            except SOURCE_ERRORS as error:
                return _failure("syntax", error)
            except BaseException as error:  # the code of an earlier run replaced what compiles
                return _exhausted(_failure("exception", error))
            self.interrupts.allow()
            try:
                value = self._execute(program)
            finally:
                for work in self.afterwards:
                    work()
            return self._success(value, show, value_bytes)
        except KeyboardInterrupt as error:
            self.interrupts.allowed = False
            self._recover()
            self.interrupts.allow()
            return _failure("exception", error)
        except DamagedError as error:
            return _exhausted(_failure("exception", error.__cause__ or error))
        except SystemExit as error:
            return _NOTHING if error.code in _GOOD_EXITS else _failure("exception", error)
        except OutputLimitError as error:
            return _failure("output", error)
        except BaseException as error:
            if not tracebacks.is_out_of_memory(error):
                return _failure("exception", error)
            failure = _failure("memory", error)
        return failure if _has_room() else _exhausted(failure)

    def _execute(self, program: compiling.Program) -> Any:
        scope = self._interpreter.scope
        trace = gettrace()
        try:
            with OutsideOfLoop(), self._interpreter:
                try:
                    if program.awaits:
                        return self._loops.run(program.execute_async(scope))
                    return self._loops.context.run(program.execute, scope)
                finally:
                    # Before a function of ours is called: in an embedder's thread, Python 3.11
                    # never leaves one whose trace function fails.
                    if gettrace() is not trace:
                        settrace(trace)
        finally:
            if not self._loops.are_settled:
                with OutsideOfLoop(), self._interpreter:
                    self._loops.settle()

    def _success(self, value: Any, show: bool, value_bytes: int) -> bytes:
        if value is None:
            return _NOTHING
        self.display.show_result(value)
        encoded = _within(value_bytes, value)
        if encoded != _NULL and not show:
            return b'{"value":%b}' % encoded
        shown = to_frame({"repr": tracebacks.safe_repr(value, _MAX_REPR)})
        return b'{"value":%b,%b' % (encoded, shown[1:])

    def _compile_workflow(self, name: str, source: str) -> compiling.Workflow:
        scope = {"__name__": "__workflow__", "__builtins__": self._interpreter.builtins}
        run = compiling.compile_workflow(name, source, {**scope, **self._names})

        async def counted(**arguments: Any) -> Any:
            depth = _workflow_depth.get()
            if depth >= _MAX_WORKFLOW_DEPTH:
                message = f"workflows call each other more than {_MAX_WORKFLOW_DEPTH} deep"
                raise errors.WorkflowError("invoke", message, "RecursionError")
            _workflow_depth.set(depth + 1)
            try:
                return await run(**arguments)
            finally:
                _workflow_depth.set(depth)

        return counted


SOURCE_ERRORS = (SyntaxError, ValueError, OverflowError, RecursionError)
"""What Python raises for source that does not compile."""

_NOTHING = b'{"value":null}'
_NULL = b"null"
_GOOD_EXITS = (None, 0)


def _within(limit: int, value: Any) -> bytes:
    """The encoding of a value with its types beside it; null when there is none, or none so short
    as `limit`."""
    try:
        text, types = encode(value)
    except MemoryError:
        raise
    except Exception:  # whatever code of the value's own class raises
        return _NULL
    encoded = f"{text}{types_field(types)}".encode()
    return encoded if len(encoded) <= limit else _NULL


def _renew_names() -> None:
    """Temporary files get names from random numbers that were drawn before."""
    tempfile._name_sequence = None  # type: ignore[attr-defined]


def _failure(kind: str, error: BaseException) -> bytes:
    name, message, traceback = tracebacks.describe(error)
    described = {"kind": kind, "type": name, "message": message, "traceback": traceback}
    return to_frame({"value": None, "error": described})


def _exhausted(outcome: bytes) -> bytes:
    """Says that the interpreter is of no further use."""
    return outcome[:-1] + b',"exhausted":true}'


def _last_word(error: BaseException) -> bytes:
    """A failure in few words, for where there may be no time or room for more."""
    described = {
        "kind": "exception",
        "type": tracebacks.type_name(error),
        "message": "the run was stopped before its outcome was told",
        "traceback": "",
    }
    return to_frame({"value": None, "error": described})


def _has_room() -> bool:
    for _ in range(2):
        try:
            return len(bytes(_ROOM)) == _ROOM
        except MemoryError:
            gc.collect()  # the traceback of a task is in a cycle with the task
    return False
