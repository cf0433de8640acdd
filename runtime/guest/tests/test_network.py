"""`http.client` and `urllib.request` on a port without a host."""

from __future__ import annotations

import base64
import http.client
import importlib
import socket
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from pcm_guest import connections, network

from tests.fake_port import Reply, Request
from tests.session import SessionTest

URL = "http://example.org/x"


def answer(body: bytes = b"", status: int = 200, reason: str = "OK", **headers: Any) -> Reply:
    value = {
        "status": status,
        "reason": reason,
        "headers": [[name.replace("_", "-"), text] for name, text in headers.items()],
        "body": base64.b64encode(body).decode(),
        "url": URL,
    }
    return Reply(value, {"/body": "bytes"})


@contextmanager
def _kept_modules() -> Iterator[None]:
    """Puts back what the installation changes."""
    changed = (http, http.client, socket, urllib, urllib.request)
    before = [dict(vars(module)) for module in changed]
    with mock.patch.dict(sys.modules), mock.patch.object(sys, "meta_path", list(sys.meta_path)):
        try:
            yield
        finally:
            for module, content in zip(changed, before, strict=True):
                vars(module).clear()
                vars(module).update(content)


class NetworkTest(SessionTest):
    def setUp(self) -> None:
        self.enterContext(_kept_modules())
        super().setUp()
        self.answers: list[Reply] = []
        self.port.answer = self.next_answer
        self.session.guest.install_network()

    def next_answer(self, request: Request) -> Reply:
        self.assertEqual((request.namespace, request.op), ("network", "request"))
        return self.answers.pop(0)

    def sent(self) -> dict[str, Any]:
        """The last request, with its body as bytes and its headers as a dict."""
        request = self.port.requests[-1]
        args = dict(request.args)
        headers = {name.lower(): value for name, value in args["headers"]}
        self.assertEqual(len(headers), len(args["headers"]))
        body = args["body"]
        self.assertEqual(request.types, {} if body is None else {"/body": "bytes"})
        return {
            **args,
            "headers": headers,
            "body": None if body is None else base64.b64decode(body),
        }


class Requests(NetworkTest):
    def test_urlopen_asks_the_host(self) -> None:
        self.answers = [
            answer(b"\0hi\xff", Content_Type="text/plain; charset=x", Content_Length="4")
        ]
        value = self.value_of(
            "import urllib.request\n"
            "with urllib.request.urlopen('http://example.org:8080/a?b=c#d') as r:\n"
            "    got = r.status, r.reason, r.headers.get_content_charset(), r.read(), r.url\n"
            "got"
        )
        self.assertEqual(value, [200, "OK", "x", b"\0hi\xff", "http://example.org:8080/a?b=c#d"])
        sent = self.sent()
        self.assertEqual(sent["method"], "GET")
        self.assertEqual(sent["url"], "http://example.org:8080/a?b=c")
        self.assertIsNone(sent["body"])
        self.assertIsNone(sent["timeout"])
        self.assertEqual(sent["headers"]["accept-encoding"], "identity")
        self.assertTrue(sent["headers"]["user-agent"].startswith("Python-urllib/"))

    def test_https_needs_no_ssl(self) -> None:
        self.answers = [answer(b"1"), answer(b"2"), answer(b"3")]
        value = self.value_of(
            "import http.client, urllib.request\n"
            "one = urllib.request.urlopen('https://example.org/x', timeout=2.5).read()\n"
            "connection = http.client.HTTPSConnection('example.org', context=object())\n"
            "connection.request('GET', '/y')\n"
            "two = connection.getresponse().read()\n"
            "connection = http.client.HTTPSConnection('[::1]:8443', timeout=float('inf'))\n"
            "connection.request('GET', '/z')\n"
            "one + two + connection.getresponse().read()"
        )
        self.assertEqual(value, b"123")
        requests = [request.args for request in self.port.requests]
        self.assertEqual(
            [(request["url"], request["timeout"]) for request in requests],
            [
                ("https://example.org:443/x", 2.5),
                ("https://example.org:443/y", None),
                ("https://[::1]:8443/z", None),
            ],
        )

    def test_bodies(self) -> None:
        for source, method, body in (
            ("urlopen('http://h/', data=b'a=\\0')", "POST", b"a=\0"),
            ("urlopen('http://h/', data=b'')", "POST", b""),
            ("urlopen(Request('http://h/', b'x', method='PUT'))", "PUT", b"x"),
            ("urlopen('http://h/', data=iter([b'ab', b'', b'c']))", "POST", b"abc"),
            ("urlopen('http://h/', data=BytesIO(b'x' * 20000))", "POST", b"x" * 20000),
            ("ask('POST', 'text ä')", "POST", "text ä".encode("latin-1")),
            ("ask('POST', bytearray(b'a\\r\\n\\r\\nb'))", "POST", b"a\r\n\r\nb"),
            ("ask('POST', memoryview(b'view'))", "POST", b"view"),
            ("ask('POST', None)", "POST", b""),
            ("ask('DELETE', None)", "DELETE", None),
            ("ask('POST', (b'x' for _ in range(3)))", "POST", b"xxx"),
            (
                "ask('POST', b'3\\r\\nabc\\r\\n0\\r\\n\\r\\n', {'Transfer-Encoding': 'chunked'})",
                "POST",
                b"abc",
            ),
            ("ask('POST', iter([b'raw']), {'Content-Length': 3})", "POST", b"raw"),
        ):
            self.answers = [answer()]
            self.value_of(
                "from http.client import HTTPConnection\n"
                "from io import BytesIO\n"
                "from urllib.request import Request, urlopen\n"
                "def ask(method, body, headers={}):\n"
                "    connection = HTTPConnection('h')\n"
                "    connection.request(method, '/', body, headers)\n"
                "    connection.getresponse()\n"
                f"{source};"
            )
            sent = self.sent()
            self.assertEqual((sent["method"], sent["body"]), (method, body), source)

    def test_a_request_piece_by_piece(self) -> None:
        self.answers = [answer(b"done", 201, "Created")]
        value = self.value_of(
            "import http.client\n"
            "c = http.client.HTTPConnection('example.org')\n"
            "c.putrequest('POST', '/p', skip_accept_encoding=True)\n"
            "c.putheader('X-Two', 'a', 'b')\n"
            "c.putheader('Content-Length', '4')\n"
            "c.endheaders()\n"
            "c.send(b'ab')\n"
            "c.send(b'cd')\n"
            "r = c.getresponse()\n"
            "r.status, r.reason, r.read()"
        )
        self.assertEqual(value, [201, "Created", b"done"])
        self.assertEqual(self.sent()["body"], b"abcd")
        self.assertEqual(
            self.sent()["headers"], {"host": "example.org", "x-two": "a b", "content-length": "4"}
        )

    def test_a_connection_serves_many_requests(self) -> None:
        self.answers = [answer(b"1"), answer(b"22", Content_Length="2"), answer(b"", 204), answer()]
        value = self.value_of(
            "import http.client\n"
            "c = http.client.HTTPConnection('example.org')\n"
            "got = []\n"
            "for path in ('/1', '/2', '/3'):\n"
            "    c.request('GET', path)\n"
            "    got.append(c.getresponse().read())\n"
            "c.request('HEAD', '/4')\n"
            "got.append(c.getresponse().read())\n"
            "got"
        )
        self.assertEqual(value, [b"1", b"22", b"", b""])


class Answers(NetworkTest):
    def test_urllib_follows_redirects_itself(self) -> None:
        self.answers = [
            answer(status=302, reason="Found", Location="/y?z", Set_Cookie="a=1"),
            answer(b"there"),
        ]
        value = self.value_of(
            f"import urllib.request\nr = urllib.request.urlopen('{URL}')\nr.url, r.read()"
        )
        self.assertEqual(value, ["http://example.org/y?z", b"there"])
        urls = [request.args["url"] for request in self.port.requests]
        self.assertEqual(urls, ["http://example.org:80/x", "http://example.org:80/y?z"])

    def test_an_error_status_is_an_httperror_with_a_body(self) -> None:
        self.answers = [answer(b"gone", 404, "Not Found", X_Why="moved")]
        value = self.value_of(
            "import urllib.request, urllib.error\n"
            "try:\n"
            f"    urllib.request.urlopen('{URL}')\n"
            "except urllib.error.HTTPError as error:\n"
            "    caught = error.code, error.reason, error.headers['X-Why'], error.read()\n"
            "caught"
        )
        self.assertEqual(value, [404, "Not Found", "moved", b"gone"])

    def test_answers_that_say_odd_things(self) -> None:
        for reply, expected in (
            (answer(b"full", Content_Length="4000"), b"full"),
            (answer(b"plain", Content_Encoding="gzip"), b"plain"),
            (answer(b"", 304, "", Content_Length="9"), b""),
            (answer(b"x", X_Name="Andr\xe9"), b"x"),
            (answer(b"x" * 300_000), b"x" * 300_000),
        ):
            self.answers = [reply]
            value = self.value_of(
                "import http.client\n"
                "c = http.client.HTTPConnection('example.org')\n"
                "c.request('GET', '/')\n"
                "c.getresponse().read()"
            )
            self.assertEqual(value, expected)

    def test_cookies_are_kept_where_code_wants_that(self) -> None:
        self.answers = [answer(Set_Cookie="a=1"), answer()]
        self.value_of(
            "import urllib.request\n"
            "opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())\n"
            "opener.open('http://example.org/'); opener.open('http://example.org/');"
        )
        self.assertEqual(self.sent()["headers"]["cookie"], "a=1")

    def test_as_many_headers_as_the_host_gives(self) -> None:
        many: dict[str, Any] = {f"X_{number}": "" for number in range(98)}
        self.answers = [answer(b"x", **many, Content_Length="1")]
        source = f"import urllib.request\nlen(urllib.request.urlopen('{URL}').headers)"
        self.assertEqual(self.value_of(source), 99)


class Refusals(NetworkTest):
    def test_refusals_are_what_callers_expect(self) -> None:
        for refused_as, name in (
            ("PermissionError", "PermissionError"),
            ("NotConnected", "PermissionError"),
            ("ConnectionError", "ConnectionError"),
            ("TimeoutError", "TimeoutError"),
            ("LimitExceeded", "OSError"),
            ("Whatever", "OSError"),
        ):
            self.answers = [Reply("why", refused_as=refused_as) for _ in range(2)]
            value = self.value_of(
                "import http.client, urllib.error, urllib.request\n"
                "try:\n"
                f"    urllib.request.urlopen('{URL}')\n"
                "except urllib.error.URLError as error:\n"
                "    caught = type(error.reason).__name__, str(error)\n"
                "try:\n"
                "    c = http.client.HTTPConnection('example.org')\n"
                "    c.request('GET', '/')\n"
                "except OSError as error:\n"
                "    caught += type(error).__name__, str(error), c.sock\n"
                "caught"
            )
            text = f"[{refused_as}] why"
            self.assertEqual(value, [name, f"<urlopen error {text}>", name, text, None])

    def test_a_refused_connection_can_be_used_again(self) -> None:
        self.answers = [Reply("why", refused_as="ConnectionError"), answer(b"now")]
        value = self.value_of(
            "import http.client\n"
            "c = http.client.HTTPConnection('example.org')\n"
            "try:\n"
            "    c.request('GET', '/')\n"
            "except ConnectionError:\n"
            "    c.request('GET', '/')\n"
            "c.getresponse().read()"
        )
        self.assertEqual(value, b"now")

    def test_a_bad_value_is_a_value_error(self) -> None:
        self.answers = [Reply("bad URL", refused_as="ValueError")]
        error = self.error_of(f"import urllib.request\nurllib.request.urlopen('{URL}')")
        self.assertEqual((error["type"], error["message"]), ("ValueError", "[ValueError] bad URL"))

    def test_a_reply_that_is_none_is_an_oserror(self) -> None:
        self.port.answer = lambda _request: b"no frame"
        error = self.error_of(
            "import http.client\nhttp.client.HTTPConnection('h').request('GET', '/')"
        )
        self.assertEqual(error["type"], "OSError")
        self.assertNotIn("connections.py", error["traceback"])

    def test_what_http_client_refuses_does_not_reach_the_host(self) -> None:
        for source in (
            "c.request('GET', '/ HTTP/1.1\\r\\nX: y')",
            "c.request('GET', '/a b')",
            "c.request('GET /\\r\\n', '/')",
            "c.request('GET', '/', headers={'X': 'a\\r\\nHost: b'})",
            "c.request('GET', '/', headers={'X\\r\\nY': 'a'})",
            "http.client.HTTPConnection('h\\r\\nX: y').request('GET', '/')",
        ):
            self.error_of(f"import http.client\nc = http.client.HTTPConnection('h')\n{source}")
        self.assertEqual(self.port.requests, [])

    def test_what_is_no_single_request_is_refused_here(self) -> None:
        for source in (
            "c.set_tunnel('other.example'); c.request('GET', '/')",
            "c.request('GET', 'http://other.example/')",
            "c.request('OPTIONS', '*')",
            "c.request('POST', '/', b'abc', {'Content-Length': '2'})",
            "c.request('POST', '/', b'abc', {'Content-Length': '4'})",
            "c.request('POST', '/', b'abc', {'Content-Length': '-3'})",
            "c.request('POST', '/', b'zz\\r\\n', {'Transfer-Encoding': 'chunked'})",
            "c.request('POST', '/', b'5\\r\\nab', {'Transfer-Encoding': 'chunked'})",
            "c.request('POST', '/', b'0\\r\\n\\r\\nGET', {'Transfer-Encoding': 'chunked'})",
            "c.connect(); c.sock.sendall(b'GET / HTTP/1.1\\r\\n'); c.sock.perform()",
            "c.connect(); c.sock.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n' * 2); c.sock.perform()",
            "c.connect(); c.sock.makefile('rb')",
            "urllib.request.urlopen(proxied())",
        ):
            error = self.error_of(
                "import http.client, urllib.request\n"
                "def proxied():\n"
                f"    request = urllib.request.Request('{URL}')\n"
                "    request.set_proxy('proxy.example:3128', 'http')\n"
                "    return request\n"
                f"c = http.client.HTTPConnection('h')\n{source}"
            )
            self.assertIn(error["type"], ("OSError", "URLError"), source)
        self.assertEqual(self.port.requests, [])

    def test_sockets_say_what_to_use(self) -> None:
        for source in (
            "socket.create_connection(('1.1.1.1', 80))",
            "socket.getaddrinfo('example.org', 80)",
            "socket.gethostbyname('example.org')",
        ):
            error = self.error_of(f"import socket\n{source}")
            self.assertEqual(error["type"], "OSError", source)
            self.assertIn("urllib.request", error["message"], source)


class Installation(NetworkTest):
    def test_it_waits_for_the_import(self) -> None:
        for name in ("http.client", "urllib.request", "pcm_guest.connections"):
            sys.modules.pop(name, None)
        vars(sys.modules["http"]).pop("client", None)
        network.install(self.session.guest._host)
        self.assertNotIn("pcm_guest.connections", sys.modules)
        self.answers = [answer(b"1"), answer(b"2")]
        value = self.value_of(
            "import urllib.request\n"
            "import http.client\n"
            "opened = urllib.request.urlopen('https://example.org/').read()\n"
            "c = http.client.HTTPSConnection('example.org')\n"
            "c.request('GET', '/')\n"
            "opened + c.getresponse().read()"
        )
        self.assertEqual(value, b"12")
        self.assertIn("pcm_guest.connections", sys.modules)

    def test_the_module_looks_as_it_did(self) -> None:
        module = importlib.reload(http.client)
        self.assertTrue(issubclass(module.HTTPSConnection, module.HTTPConnection))
        self.assertEqual(repr(module.HTTPConnection), "<class 'http.client.HTTPConnection'>")
        self.assertEqual(module.__all__.count("HTTPSConnection"), 1)
        assert module.__spec__ is not None
        assert module.__spec__.loader is not None
        self.assertTrue(hasattr(module.__spec__.loader, "get_code"))
        self.assertFalse(issubclass(module.HTTPResponse, connections.HTTPConnection))

    def test_other_imports_are_left_alone(self) -> None:
        self.assertEqual(self.value_of("import colorsys, xml.dom\ncolorsys.__name__"), "colorsys")
        error = self.error_of("import http.nothing")
        self.assertEqual(error["type"], "ModuleNotFoundError")

    def test_the_error_class_is_no_global(self) -> None:
        self.assertFalse(self.value_of("'NetworkError' in globals()"))
