"""One operation of the host, and the ways to call it.

A request frame is `{"namespace", "op", "args", "types"}`, a reply frame `{"ok": true, "value",
"types"}` or `{"ok": false, "type", "message"}`. Everything that code in the sandbox can do through
the namespaces it could also do by writing such frames itself; the host decides on the frame.
"""

from __future__ import annotations

from asyncio import events
from collections.abc import Callable, Coroutine
from typing import Any

from pcm_guest import errors
from pcm_guest.encoding import decode, encode, from_json, types_field
from pcm_guest.loop import CallsLoop, Loops
from pcm_guest.port import Port

Shape = Callable[[Any], Any]
"""What is done to a reply's value before the caller sees it."""


class Host:
    """The port, with requests and replies in place of bytes."""

    def __init__(self, port: Port, loops: Loops) -> None:
        self._port = port
        self._loops = loops

    def call(self, namespace: str, op: str, args: dict[str, Any]) -> Any:
        """Asks and waits."""
        reply = self._port.call(_request(namespace, op, args))
        return _answer(reply, namespace, op)

    async def call_async(self, namespace: str, op: str, args: dict[str, Any]) -> Any:
        """Asks, and lets other tasks run until the reply is there."""
        loop = events.get_running_loop()
        if not isinstance(loop, CallsLoop):
            return self.call(namespace, op, args)
        reply = await loop.submit(_request(namespace, op, args))
        return _answer(reply, namespace, op)

    def run_nested(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Drives a coroutine for a caller that cannot await."""
        return self._loops.run_nested(work)


class HostFunction:
    """A host operation as code in the sandbox calls it.

    A plain call blocks and returns the value. Awaited or gathered calls go through `call_async`:
    the evaluator sees to that (see `rewriting`).
    """

    __slots__ = ("__name__", "_arguments", "_host", "_namespace", "_op", "_shape")

    def __init__(
        self,
        host: Host,
        namespace: str,
        op: str,
        arguments: Callable[..., dict[str, Any]],
        shape: Shape | None = None,
    ) -> None:
        self.__name__ = op
        self._host = host
        self._namespace = namespace
        self._op = op
        self._arguments = arguments
        self._shape = shape

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        value = self._host.call(self._namespace, self._op, self._arguments(*args, **kwargs))
        return value if self._shape is None else self._shape(value)

    call_sync = __call__

    async def call_async(self, /, *args: Any, **kwargs: Any) -> Any:
        """The same as a plain call, but awaitable."""
        arguments = self._arguments(*args, **kwargs)
        value = await self._host.call_async(self._namespace, self._op, arguments)
        return value if self._shape is None else self._shape(value)

    def __repr__(self) -> str:
        return f"<host function {self._namespace}.{self.__name__}>"


def _request(namespace: str, op: str, args: dict[str, Any]) -> bytes:
    text, types = encode(args)
    # The two names are this package's own words: nothing in them needs an escape.
    frame = f'{{"namespace":"{namespace}","op":"{op}","args":{text}{types_field(types)}}}'
    return frame.encode()


def _answer(reply: bytes, namespace: str, op: str) -> Any:
    try:
        frame = from_json(reply.decode())
        if frame["ok"]:
            types = frame.get("types")
            return decode(frame["value"], types) if types else frame["value"]
        error_type, message = frame["type"], frame["message"]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise errors.RPCTransportError(f"malformed reply to {namespace}.{op}: {error}") from None
    raise errors.BY_NAMESPACE[namespace](op, message, error_type)
