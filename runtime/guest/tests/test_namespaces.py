"""The four globals: which frames their calls become, and what the replies become."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from pcm_guest import errors
from pcm_guest.records import Record, as_records, workflow_records

from tests.fake_port import Reply, Request
from tests.session import SessionTest


class Requests(SessionTest):
    def test_the_frames(self) -> None:
        for source, namespace, op, args in (
            ("tools.list()", "tools", "list", {}),
            ("tools.search('q')", "tools", "search", {"query": "q", "limit": 10}),
            ("tools.search('q', limit=3)", "tools", "search", {"query": "q", "limit": 3}),
            ("tools.curl(url='u')", "tools", "call", {"name": "curl", "args": {"url": "u"}}),
            ("tools.curl.get(u=1)", "tools", "call", {"name": "curl.get", "args": {"u": 1}}),
            ("tools.curl.call_sync(u=1)", "tools", "call", {"name": "curl", "args": {"u": 1}}),
            ("tools.curl.get.call_sync()", "tools", "call", {"name": "curl.get", "args": {}}),
            ("await tools.curl.call_async()", "tools", "call", {"name": "curl", "args": {}}),
            ("tools.curl.list()", "tools", "list_recipes", {"name": "curl"}),
            (
                "tools.t(name='n', self=1)",
                "tools",
                "call",
                {"name": "t", "args": {"name": "n", "self": 1}},
            ),
            ("tools.stubs()", "tools", "stubs", {}),
            ("workflows.list()", "workflows", "list", {}),
            ("workflows.search('q', 2)", "workflows", "search", {"query": "q", "limit": 2}),
            ("workflows.get('w')", "workflows", "get", {"name": "w"}),
            ("workflows.delete('w')", "workflows", "delete", {"name": "w"}),
            (
                "workflows.create('w', 'source', description='d')",
                "workflows",
                "create",
                {"name": "w", "source": "source", "description": "d"},
            ),
            (
                "artifacts.save('a', [1])",
                "artifacts",
                "save",
                {"name": "a", "data": [1], "description": "", "metadata": None},
            ),
            ("artifacts.load('a')", "artifacts", "load", {"name": "a"}),
            ("artifacts.list()", "artifacts", "list", {}),
            ("artifacts.get('a')", "artifacts", "get", {"name": "a"}),
            ("artifacts.exists('a')", "artifacts", "exists", {"name": "a"}),
            ("artifacts.delete('a')", "artifacts", "delete", {"name": "a"}),
            ("deps.add('numpy>=2')", "deps", "add", {"package": "numpy>=2"}),
            ("deps.remove('numpy')", "deps", "remove", {"package": "numpy"}),
            ("deps.list()", "deps", "list", {}),
            ("deps.sync()", "deps", "sync", {}),
        ):
            self.value_of(source)
            self.assertEqual(self.port.requests[-1], Request(namespace, op, args), source)

    def test_what_is_no_data_is_saved_as_its_text(self) -> None:
        for source, saved in (
            ("5", "5"),
            ("2.5", "2.5"),
            ("None", "None"),
            ("(1, 'a')", "(1, 'a')"),
            ("__import__('datetime').date(2026, 1, 2)", "2026-01-02"),
            ("bytearray(b'hi')", "aGk="),
            ("memoryview(b'hi')", "aGk="),
            ("'text'", "text"),
        ):
            self.value_of(f"artifacts.save('a', {source})")
            self.assertEqual(self.port.requests[-1].args["data"], saved, source)

    def test_types_travel_beside_the_arguments(self) -> None:
        self.assertEqual(
            self.value_of("import math\nartifacts.save('a', {'raw': b'hi', 'n': math.nan})"),
            {
                "name": "a",
                "data": {"raw": "aGk=", "n": "NaN"},
                "description": "",
                "metadata": None,
            },
        )
        types = {"/data/raw": "bytes", "/data/n": "float"}
        self.assertEqual(self.port.requests[-1].types, types)

    def test_refused_before_they_are_sent(self) -> None:
        for source, error_type, message in (
            ("tools.curl('u')", "TypeError", "tools.curl takes keyword arguments only"),
            ("await tools.curl('u')", "TypeError", "tools.curl takes keyword arguments only"),
            ("tools.curl(x=object())", "EncodingError", "object has no encoding"),
            ("tools._private", "AttributeError", "_private"),
            ("tools.curl._private", "AttributeError", "_private"),
            ("workflows._private", "AttributeError", "_private"),
            ("artifacts.nothing", "AttributeError", "nothing"),
            ("workflows.invoke()", "TypeError", "a workflow name and keyword arguments only"),
            ("workflows.w(1)", "TypeError", "a workflow takes keyword arguments only"),
            ("artifacts.load()", "TypeError", "missing 1 required"),
        ):
            error = self.error_of(source)
            self.assertEqual(error["type"], error_type, source)
            self.assertIn(message, error["message"])
        self.assertEqual(self.port.requests, [])

    def test_how_they_show_themselves(self) -> None:
        for name in ("tools", "workflows", "artifacts", "deps", "tools.curl.get", "artifacts.load"):
            shown = self.run_code(name).repr
            assert shown is not None
            self.assertRegex(shown, r"^<(host function )?\w+")
        self.assertEqual(self.port.requests, [])

    def test_a_deleted_global_comes_back(self) -> None:
        self.run_code("globals().clear()")
        self.assertEqual(self.value_of("tools.list(), __name__"), [{}, "__main__"])

    def test_a_replaced_global_is_the_users(self) -> None:
        self.run_code("tools = 5")
        self.assertEqual(self.value_of("tools"), 5)


class Replies(SessionTest):
    reply: Reply | bytes = Reply()

    def setUp(self) -> None:
        self.answer = lambda _request: self.reply
        super().setUp()

    def test_values_and_types(self) -> None:
        self.reply = Reply({"raw": "aGk=", "n": 1}, {"/raw": "bytes"})
        self.assertEqual(self.value_of("tools.t()"), {"raw": b"hi", "n": 1})
        self.assertEqual(self.value_of("await tools.t()"), {"raw": b"hi", "n": 1})

    def test_what_a_tool_gives_is_plain(self) -> None:
        self.reply = Reply({"a": {"b": 1}})
        self.assertEqual(
            self.value_of("r = tools.t()\n[type(r).__name__, r]"), ["dict", {"a": {"b": 1}}]
        )

    def test_listings_are_records(self) -> None:
        self.reply = Reply([{"name": "curl", "recipes": [{"name": "get"}]}])
        source = "r = tools.list()[0]\n[r.name, r['name'], r.recipes[0].name, 'name' in dir(r)]"
        self.assertEqual(self.value_of(source), ["curl", "curl", "get", True])

    def test_a_missing_field(self) -> None:
        self.reply = Reply([{"name": "curl", "tags": []}])
        error = self.error_of("tools.list()[0].nmae")
        self.assertEqual(error["type"], "AttributeError")
        self.assertEqual(error["message"], "no field 'nmae'; there are: name, tags")

    def test_refusals(self) -> None:
        self.reply = Reply("no such thing", refused_as="NotFound")
        for namespace, name in {
            "tools": "ToolError",
            "workflows": "WorkflowError",
            "artifacts": "ArtifactError",
            "deps": "DepsError",
        }.items():
            for wait in ("", "await "):
                source = f"{wait}{namespace}.list()"
                error = self.error_of(source)
                self.assertEqual(error["type"], name)
                self.assertEqual(error["message"], f"{namespace}.list: [NotFound] no such thing")
                self.assertNotIn("in call_async", error["traceback"])
                caught = f"""
try:
    {source}
except {name} as error:
    e = error
[e.namespace, e.operation, e.message, e.original_type, isinstance(e, NamespaceError)]"""
                fields = [namespace, "list", "no such thing", "NotFound", True]
                self.assertEqual(self.value_of(caught), fields)

    def test_malformed_replies(self) -> None:
        for frame in (
            b"",
            b"[]",
            b"null",
            b"{",
            b"\xff",
            b"{}",
            b'{"ok":true}',
            b'{"ok":false}',
            b'{"ok":true,"value":"x","types":[1]}',
            b'{"ok":true,"value":"x","types":{"":"decimal"}}',
            b'{"ok":true,"value":"1/0","types":{"":"fraction"}}',
            b'{"ok":true,"value":"x","types":{"/a":"bytes"}}',
            b'{"ok":true,"value":5,"types":{"":"date"}}',
        ):
            self.reply = frame
            for source in ("tools.t()", "await tools.t()"):
                error = self.error_of(source)
                self.assertEqual(error["type"], "RPCTransportError", frame)
                self.assertIn("malformed reply to tools.call", error["message"])

    def test_new_packages_can_be_imported(self) -> None:
        self.reply = Reply({"installed": ["x"]})
        source = """
import importlib
calls = []
before = importlib.invalidate_caches
importlib.invalidate_caches = lambda: calls.append(1)
r = [deps.add('x').installed, deps.sync()['installed']]
importlib.invalidate_caches = before
[r, calls]"""
        self.assertEqual(self.value_of(source), [[["x"], ["x"]], [1, 1]])

    def test_workflow_listings_have_both_spellings(self) -> None:
        parameters = [
            {"name": "a", "type": "integer", "description": "the first"},
            {"name": "b", "type": "number", "description": ""},
            {"name": "c"},
        ]
        self.reply = Reply([{"name": "w", "parameters": parameters}])
        source = "w = workflows.list()[0]\n[w.params, w['params'] is w.params, len(w.parameters)]"
        params = {"a": "the first", "b": "number", "c": "string"}
        self.assertEqual(self.value_of(source), [params, True, 3])

    def test_answers_that_are_no_records(self) -> None:
        for value in (None, True, 5, "text"):
            self.reply = Reply(value)
            for source in ("workflows.get('w')", "workflows.delete('w')", "artifacts.exists('a')"):
                self.assertEqual(self.value_of(source), value)


class Copies(SessionTest):
    def test_records(self) -> None:
        record = as_records({"a": [{"b": 1}]})
        for twin in (copy.deepcopy(record), pickle.loads(pickle.dumps(record))):
            self.assertEqual(twin, record)
            self.assertIs(type(twin), Record)
            self.assertEqual(twin.a[0].b, 1)
        self.assertEqual(repr(record), "Record({'a': [Record({'b': 1})]})")

    def test_parameters_that_are_no_list(self) -> None:
        odd: Any = {"parameters": "none"}
        self.assertEqual(workflow_records(odd), odd)
        self.assertEqual(workflow_records({}), {"parameters": [], "params": {}})

    def test_errors(self) -> None:
        error = errors.ToolError("call", "no", "Denied")
        twin = pickle.loads(pickle.dumps(error))
        self.assertEqual((str(twin), twin.operation), ("tools.call: [Denied] no", "call"))
