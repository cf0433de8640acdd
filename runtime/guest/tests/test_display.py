"""Rich results."""

from __future__ import annotations

import base64
from typing import Any

from tests.session import SessionTest, session

PNG = b"\x89PNG"
RICH = f"""
class Rich:
    def _repr_html_(self): return "<b>rich</b>"
    def _repr_png_(self): return {PNG!r}
    def _repr_svg_(self): return None
    def _repr_latex_(self): raise ValueError
    def _repr_json_(self): return {{"a": [1, float("nan")]}}
    def __repr__(self): return "Rich!"
class Bundle:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {{"text/html": "bundle", "image/png": b"x", "text/plain": None, 5: "odd"}}
    def _repr_html_(self): return "not this"
class WithMetadata:
    def _repr_mimebundle_(self): return {{"text/html": "first"}}, {{"metadata": 1}}
class Plain:
    def __repr__(self): return "plain"
"""
RICH_FORMS = {
    "text/html": "<b>rich</b>",
    "image/png": base64.b64encode(PNG).decode(),
    "application/json": {"a": [1, "NaN"]},
}


class DisplayTest(SessionTest):
    def setUp(self) -> None:
        super().setUp()
        self.run_code(RICH)

    def shown(self, source: str) -> list[dict[str, Any]]:
        self.port.emitted.clear()
        self.assertEqual(self.run_code(source).error, {})
        return self.port.displayed


class OfTheResult(DisplayTest):
    def test_rich_forms_are_shown(self) -> None:
        self.assertEqual(self.shown("Rich()"), [RICH_FORMS])
        self.assertEqual(self.run_code("Rich()").repr, "Rich!")

    def test_plain_values_are_not(self) -> None:
        for source in ("1", "'x'", "Plain()", "None", "Rich", "x = Rich()", "tools", "tools.t"):
            self.assertEqual(self.shown(source), [], source)

    def test_mime_bundles(self) -> None:
        encoded = base64.b64encode(b"x").decode()
        self.assertEqual(self.shown("Bundle()"), [{"text/html": "bundle", "image/png": encoded}])
        self.assertEqual(self.shown("WithMetadata()"), [{"text/html": "first"}])

    def test_failing_forms_are_left_out(self) -> None:
        for form in (
            "1 / 0",
            "object()",
            "[].append",
            "self",
            "(lambda a: [a.append(a), a][1])([])",
            "{(1, 2): 3}",
        ):
            source = f"class F:\n  def _repr_html_(self): return {form}\n  x = 1\nf = F()\nf"
            self.assertEqual(self.shown(source), [], form)

    def test_hostile_classes(self) -> None:
        for source in (
            "class M(type):\n  def __getattr__(c, n): 1 / 0\nclass C(metaclass=M): pass\nC()",
            "class C:\n  _repr_html_ = 5\n  _repr_mimebundle_ = 'x'\nC()",
            "class C:\n  def _repr_mimebundle_(self): return {'text/html': self}\nC()",
        ):
            self.assertEqual(self.shown(source), [])

    def test_strange_characters(self) -> None:
        source = "class C:\n  def _repr_mimebundle_(self): return {'\\ud800\"': '\\udfff'}\nC()"
        self.assertEqual(self.shown(source), [{'\ufffd"': "\ufffd"}])


class TheBuiltin(DisplayTest):
    def test_several_values(self) -> None:
        expected = [
            {"text/plain": "1"},
            {**RICH_FORMS, "text/plain": "Rich!"},
            {"text/plain": "'s'"},
        ]
        self.assertEqual(self.shown("display(1, Rich(), 's')"), expected)
        self.assertEqual(self.shown("display()"), [])

    def test_a_long_repr_is_shortened(self) -> None:
        (shown,) = self.shown("display('x' * 10**6)")
        self.assertLess(len(shown["text/plain"]), 10_100)

    def test_a_failing_repr_is_described(self) -> None:
        source = "class C:\n  def __repr__(self): raise KeyError\ndisplay(C())"
        self.assertEqual(self.shown(source), [{"text/plain": "<C whose repr() raised KeyError>"}])

    def test_it_counts_as_output(self) -> None:
        with session(output_limit=10) as limited:
            self.assertEqual(limited.run("display('x' * 100)").error["kind"], "output")
