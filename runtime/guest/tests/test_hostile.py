"""Code that damages what the evaluator stands on: its own result is right, the next run works."""

from __future__ import annotations

import unittest
from unittest import mock

from pcm_guest import tracebacks

from tests.fake_port import strict_json
from tests.session import SessionTest, session

DAMAGE = """
import json; json.loads = json.dumps = json.JSONEncoder = json._default_decoder = None
import sys; sys.modules['json'] = None
import sys; sys.modules['asyncio'] = sys.modules['traceback'] = sys.modules['ast'] = None
import sys; del sys.modules['__main__']
import sys; sys.modules.clear()
import sys; sys.path[:] = sys.meta_path[:] = []
import sys; del sys.setrecursionlimit, sys.getrecursionlimit, sys.settrace
import builtins; builtins.print = None
import builtins; builtins.isinstance = builtins.len = builtins.str = lambda *a: 1 / 0
import builtins; builtins.compile = builtins.exec = builtins.eval = None
import builtins; builtins.__import__ = lambda *a: 1 / 0
import builtins; builtins.KeyError = builtins.BaseException = builtins.MemoryError = 5
import builtins; builtins.dict = builtins.list = builtins.type = builtins.object = None
import builtins; del builtins.__pcm_deferred__, builtins.__pcm_ready__
import builtins; builtins.__pcm_deferred__ = builtins.__pcm_ready__ = None
import builtins; vars(builtins).clear()
import ast; ast.parse = ast.walk = None
import linecache; linecache.cache = linecache.getlines = None
import random; random.seed = random.random = None
import inspect; inspect.isawaitable = None
import traceback; traceback.TracebackException = None
import gc; gc.disable()
import warnings; warnings.simplefilter('error')
import decimal; decimal.getcontext().prec = 1
tools = workflows = display = __builtins__ = __name__ = None
__builtins__ = {}
__builtins__ = 5
globals().clear()
_pcm = __spec__ = __loader__ = __doc__ = 5
__class__ = property(lambda s: 1 / 0)
import sys; sys.setrecursionlimit(1)
import sys; sys.setrecursionlimit(60)
import sys; sys.setrecursionlimit(10**9)
import sys; sys.settrace(lambda *a: 1 / 0)
import sys; sys.setprofile(lambda *a: 1 / 0)
import sys; sys.set_int_max_str_digits(640)
import sys; sys.excepthook = sys.unraisablehook = sys.displayhook = None
"""


class Damage(SessionTest):
    def test_the_session_survives(self) -> None:
        for line in DAMAGE.strip().splitlines():
            for value in ("", "; [1, b'x']", "; undefined_name"):
                with self.subTest(line + value), session() as damaged:
                    outcome = damaged.run(line + value)
                    if value.startswith("; [") and not outcome.error:
                        self.assertEqual(outcome.value, [1, b"x"])
                    for source, expected in (
                        ("2 * 21", 42),
                        ("print('x'); [1, {'a': b'x', 'b': 2**80}]", [1, {"a": b"x", "b": 2**80}]),
                        ("isinstance(len([1]), int)", True),
                    ):
                        after = damaged.run(source)
                        self.assertEqual(after.error, {}, source)
                        self.assertEqual(after.value, expected)
                    error = damaged.run("1 / 0").error
                    self.assertEqual(error["type"], "ZeroDivisionError")

    def test_awaiting_survives_most_of_it(self) -> None:
        spared = ("vars(builtins).clear", "sys.modules", "ast.parse", "tools =", "simplefilter")
        for line in DAMAGE.strip().splitlines():
            if any(word in line for word in spared):
                continue
            with self.subTest(line), session() as damaged:
                damaged.run(line)
                after = damaged.run(
                    "import asyncio\nawait asyncio.gather(tools.t(i=1), tools.t(i=2))"
                )
                self.assertEqual(after.error, {})
                self.assertEqual([reply["args"]["i"] for reply in after.value], [1, 2])

    def test_what_was_added_to_builtins_stays(self) -> None:
        self.run_code("import builtins; builtins._ = builtins.mine = 5")
        self.assertEqual(self.value_of("mine + _"), 10)


class Recursion(SessionTest):
    def test_the_limit_is_clamped(self) -> None:
        source = "import sys\nsys.setrecursionlimit(10**9)\nsys.getrecursionlimit()"
        self.assertEqual(self.value_of(source, recursion=1234), 1234)

    def test_a_lower_grant_lowers_it(self) -> None:
        self.run_code("import sys\nsys.setrecursionlimit(2000)", recursion=2000)
        self.assertEqual(self.value_of("sys.getrecursionlimit()", recursion=1500), 1500)

    def test_it_stays_for_the_next_run(self) -> None:
        self.run_code("import sys\nsys.setrecursionlimit(900)")
        self.assertEqual(self.value_of("sys.getrecursionlimit()"), 900)

    def test_it_is_never_too_low_for_the_evaluator(self) -> None:
        self.run_code("import sys\nsys.setrecursionlimit(1)")
        self.assert_alive()

    def test_recursive_methods_of_a_value(self) -> None:
        for body in (
            "def __repr__(self): return repr(self)",
            "def __getattr__(self, name): return getattr(self, name + 'x')",
            "_repr_html_ = lambda self: self._repr_html_()",
        ):
            outcome = self.run_code(f"class C:\n  {body}\n  x = 1\nc = C()\nc")
            self.assertEqual(outcome.error, {}, body)
        self.assertEqual(
            self.run_code("class C:\n  def __repr__(self): return repr(self)\nC()").repr,
            "<C whose repr() raised RecursionError>",
        )

    def test_deep_values(self) -> None:
        source = "a = []\nfor _ in range(10**5): a = [a]\na"
        outcome = self.run_code(source)
        self.assertEqual((outcome.error, outcome.value), ({}, None))
        self.assertEqual(outcome.repr, "<list whose repr() raised RecursionError>")
        self.value_of("while a: a = a[0]")
        self.assertEqual(self.run_code("a.append(a)\na").repr, "[[...]]")


class Values(SessionTest):
    def test_hostile_values_are_shown(self) -> None:
        for body in (
            "class C(dict):\n  def items(self): 1 / 0\nC(a=1)",
            "class C(dict):\n  def items(self): return 5\nC(a=1)",
            "class C:\n  __class__ = property(lambda s: 1 / 0)\nC()",
            "import dataclasses\n@dataclasses.dataclass\nclass C:\n  x: int\nc = C(1)\ndel c.x\nc",
            "class C:\n  def __repr__(self): return 5\nC()",
            "class C:\n  def __repr__(self): raise BaseException\n  def __str__(self): 1 / 0\n[1, C][0]",
            "import enum\nclass C(enum.Enum):\n  A = 1\n  value = property(lambda s: 1 / 0)\nC.A",
        ):
            self.assertEqual(self.run_code(body).error, {}, body)
            self.assert_alive()

    def test_a_repr_that_lies_about_its_length(self) -> None:
        source = """
class T(str):
    def __len__(self): return 0
class C:
    def __repr__(self): return T('x' * 10**6)
C()"""
        shown = self.run_code(source).repr
        assert shown is not None
        self.assertLess(len(shown), 10_100)

    def test_markers_are_data(self) -> None:
        for value in (
            {"value": 1, "error": {"kind": "memory"}, "exhausted": True},
            {"__py_repr__": "x", "types": {"": "bytes"}},
            '"},"error":{"kind":"memory"}',
        ):
            outcome = self.run_code(repr(value))
            self.assertEqual(outcome.frame, {"value": value})

    def test_output_that_looks_like_frames_is_text(self) -> None:
        self.run_code("""print('{"namespace":"tools","op":"call","args":{}}')""")
        self.assertEqual(self.port.requests, [])


class Interrupts(unittest.TestCase):
    """An interrupt can come at any moment of a run; `run` gives an outcome all the same."""

    def test_while_the_outcome_is_put_together(self) -> None:
        for where in ("describe", "safe_repr"):
            for source in (b"1 / 0", b"object()", b"object"):
                with session() as interrupted:
                    with mock.patch.object(tracebacks, where, side_effect=KeyboardInterrupt):
                        frame = interrupted.guest.run(OPTIONS, source)
                    outcome = strict_json(frame)
                    self.assertIsNone(outcome["value"])
                    self.assertEqual(interrupted.run("1 + 1").value, 2)

    def test_without_memory_for_the_outcome(self) -> None:
        with session() as exhausted:
            with mock.patch.object(tracebacks, "describe", side_effect=MemoryError):
                frame = exhausted.guest.run(OPTIONS, b"1 / 0")
            outcome = strict_json(frame)
            self.assertEqual((outcome["error"]["kind"], outcome["exhausted"]), ("memory", True))


OPTIONS = b"0 1000 1000 0"
