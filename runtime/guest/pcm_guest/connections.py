"""Connections of `http.client` that hand their requests to the host.

`http.client` writes a request into what it takes for a socket. Once it is complete it is taken
apart again, goes to the host as one call, and the answer is put together as a server would have
sent it. The host decides what goes out; this only has to be understood by `http.client`.

Imported when `http.client` is (see `network`).
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Iterable, Mapping
from http import client
from io import BytesIO
from types import ModuleType
from typing import Any

from pcm_guest.calls import Host
from pcm_guest.errors import NetworkError, RPCTransportError

Request = dict[str, Any]
Ask = Callable[[Request], Any]
"""From a request to the answer of the host."""


def install(module: ModuleType, host: Host) -> None:
    """Replaces the connections of `http.client`. There are those for https then, too, although
    there is no `ssl`: the host speaks TLS."""

    HTTPConnection._ask = staticmethod(lambda request: _ask(host, request))
    for connection in (HTTPConnection, HTTPSConnection):
        name = connection.__name__
        setattr(module, name, connection)
        if name not in module.__all__:
            module.__all__.append(name)
    # urllib.request makes a context for every opener, and would need `ssl` for it.
    module._create_https_context = lambda _version: None  # type: ignore[attr-defined]


class HTTPConnection(client.HTTPConnection):
    """A connection to a server, made by the host when a request is complete."""

    __module__ = "http.client"
    _scheme = "http"
    _ask: Ask

    def connect(self) -> None:
        """Connects to nobody yet."""
        if self._tunnel_host:  # type: ignore[attr-defined]
            raise OSError("a proxy cannot be used from the sandbox: the host connects by itself")
        host = f"[{self.host}]" if ":" in self.host else self.host
        origin = f"{self._scheme}://{host}:{self.port}"
        self.sock: Any = HostSocket(self._ask, origin, _seconds(self.timeout))

    def request(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, Any] = {},
        *,
        encode_chunked: bool = False,
    ) -> None:
        """Sends a complete request. What fails, fails here: only from here `urllib.request` makes
        a `URLError` of it."""
        try:
            super().request(method, url, body, headers, encode_chunked=encode_chunked)
            self.sock.perform()
        except BaseException:
            self.close()
            raise


class HTTPSConnection(HTTPConnection):
    """The same with TLS. The host checks certificates as its machine does; `context` and what
    Python 3.11 has beside it say nothing to it."""

    __module__ = "http.client"
    _scheme = "https"
    default_port = client.HTTPS_PORT

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        timeout: Any = socket._GLOBAL_DEFAULT_TIMEOUT,  # type: ignore[attr-defined]
        source_address: Any = None,
        context: Any = None,
        blocksize: int = 8192,
        **_tls: Any,
    ) -> None:
        super().__init__(host, port, timeout, source_address, blocksize)
        self._context = context


class HostSocket:
    """What `http.client` takes for a socket."""

    def __init__(self, ask: Ask, origin: str, timeout: float | None) -> None:
        self._ask = ask
        self._origin = origin
        self._timeout = timeout
        self._sent = bytearray()
        self._answer: bytes | None = None

    def sendall(self, data: Any) -> None:
        """Keeps a part of a request."""
        self._sent += data

    def perform(self) -> None:
        """Has the host make the request that was sent."""
        sent, self._sent = bytes(self._sent), bytearray()
        method, target, headers, body = take_apart(sent)
        if not target.startswith("/"):
            raise OSError(f"{target[:100]!r} is not a path: the host connects by itself, no proxy")
        request: Request = {"method": method, "url": self._origin + target, "headers": headers}
        request |= {"body": body, "timeout": self._timeout}
        self._answer = put_together(self._ask(request))

    def makefile(self, _mode: str) -> BytesIO:
        """The answer, once."""
        if self._answer is None:
            self.perform()
        answer, self._answer = self._answer, None
        return BytesIO(answer or b"")

    def settimeout(self, timeout: float | None) -> None:
        self._timeout = _seconds(timeout)

    def setsockopt(self, *_option: Any) -> None:
        """Says nothing to the host."""

    def close(self) -> None:
        """Nothing is open."""


def take_apart(sent: bytes) -> tuple[str, str, list[tuple[str, str]], bytes | None]:
    """Method, target, headers and body of the one request in `sent`."""
    head, end, rest = sent.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").replace("\r\n\t", " ").split("\r\n")
    parts = first.split(" ")
    if not end or len(parts) != 3:  # noqa: PLR2004 (method, target and version)
        raise OSError("the request is not complete")
    headers = []
    for line in lines:
        name, _, value = line.partition(":")
        headers.append((name, value.strip(" \t")))
    return parts[0], parts[1], headers, _body(headers, rest)


def _body(headers: Iterable[tuple[str, str]], rest: bytes) -> bytes | None:
    about = {name.lower(): value for name, value in headers}
    if about.get("transfer-encoding", "").lower() == "chunked":
        return _join(rest)
    length = about.get("content-length")
    if length is None and not rest:
        return None
    if length != str(len(rest)):
        raise OSError(f"Content-Length is {length}, but {len(rest)} bytes were sent as the body")
    return rest


def _join(rest: bytes) -> bytes:
    """The chunks of a body, without their lengths."""
    chunks = []
    stream = BytesIO(rest)
    try:
        while length := int(stream.readline().partition(b";")[0], 16):
            chunks.append(stream.read(length))
            if len(chunks[-1]) != length or stream.read(2) != b"\r\n":
                break
        else:
            if stream.read() == b"\r\n":
                return b"".join(chunks)
    except ValueError:
        pass
    raise OSError("the chunks of the body are malformed")


def put_together(reply: Any) -> bytes:
    """The answer of the host as a server would have sent it."""
    body: bytes = reply["body"]
    lines = [f"HTTP/1.1 {reply['status']} {reply['reason']}"]
    for name, value in reply["headers"]:
        # An answer to HEAD tells a length, although nothing comes.
        known = str(len(body)) if body and name.lower() == "content-length" else value
        lines.append(f"{name}: {known}")
    head = "\r\n".join([*lines, "", ""])
    return head.encode("latin-1", "replace") + body


_ERRORS: dict[str, type[Exception]] = {
    "PermissionError": PermissionError,
    "NotConnected": PermissionError,
    "ConnectionError": ConnectionError,
    "TimeoutError": TimeoutError,
    "ValueError": ValueError,
}


def _ask(host: Host, request: Request) -> Any:
    """The answer of the host; its refusals as what code that uses `http.client` expects."""
    try:
        return host.call("network", "request", request)
    except NetworkError as error:
        kind = _ERRORS.get(error.original_type, OSError)
        raise kind(f"[{error.original_type}] {error.message}") from None
    except RPCTransportError as error:
        raise OSError(str(error)) from None


def _seconds(timeout: Any) -> float | None:
    """A timeout as the host takes it: a number, or None."""
    if not isinstance(timeout, (int, float)):
        return None  # also what stands for the default
    return float(timeout) if math.isfinite(timeout) else None
