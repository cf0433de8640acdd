"""What is told of an exception, and that it is bounded whatever the exception is."""

from __future__ import annotations

import time
from typing import Any

from pcm_guest.tracebacks import MAX_MESSAGE, MAX_TRACEBACK

from tests.session import Outcome, SessionTest


class Shown(SessionTest):
    def test_only_the_users_frames(self) -> None:
        traceback = self.run_code("def f():\n    1 / 0\n\nf()").traceback.splitlines()
        self.assertEqual(traceback[0], "Traceback (most recent call last):")
        self.assertEqual(traceback[1], '  File "<run 1>", line 4, in <module>')
        self.assertIn('  File "<run 1>", line 2, in f', traceback)
        self.assertEqual(traceback[-1], "ZeroDivisionError: division by zero")
        for source in ("1 / 0", "await g()", "tools.t(1)", "await tools.t(1)"):
            self.run_code("async def g(): raise ValueError")
            traceback = self.run_code(source).traceback.splitlines()
            self.assertRegex(traceback[1], '  File "<run [0-9]+>", line 1, in <module>')
            self.assertNotIn("pcm_guest", "".join(traceback))

    def test_the_place_in_the_line_is_pointed_at(self) -> None:
        shown = self.run_code("1 / 0").traceback.splitlines()
        self.assertEqual(shown[2:4], ["    1 / 0", "    ~~^~~"])

    def test_frames_of_libraries_below_the_users(self) -> None:
        traceback = self.run_code("import json\njson.loads('{')").traceback
        self.assertIn("decode", traceback)

    def test_frames_of_code_without_a_file(self) -> None:
        traceback = self.run_code("exec(compile('1 / 0', '<mine>', 'exec'))").traceback
        self.assertIn('"<mine>", line 1', traceback)

    def test_a_name_cannot_hide_a_frame(self) -> None:
        traceback = self.run_code("__name__ = 'pcm_guest.evaluate'\n1 / 0").traceback
        self.assertIn('"<run 1>", line 2', traceback)

    def test_syntax_errors(self) -> None:
        error = self.error_of("x = 1\ny = = 2")
        self.assertEqual((error["type"], error["message"]), ("SyntaxError", "invalid syntax"))
        self.assertIn('  File "<run 1>", line 2\n    y = = 2\n        ^\n', error["traceback"])
        self.assertNotIn("Traceback", error["traceback"])

    def test_messages(self) -> None:
        for raised, message in {
            "KeyError('k')": "'k'",
            "ValueError()": "",
            "ValueError('a', 2)": "('a', 2)",
            "OSError(2, 'No such file', 'f')": "[Errno 2] No such file: 'f'",
            "SyntaxError(5)": "5",
            "SyntaxError()": "",
            "ValueError('\\ud800')": "?",
        }.items():
            self.assertEqual(self.error_of(f"raise {raised}")["message"], message, raised)

    def test_chains(self) -> None:
        source = """
try:
    try:
        1 / 0
    except Exception as e:
        raise KeyError("k") from e
except Exception:
    raise ValueError("v")"""
        traceback = self.run_code(source).traceback
        cause = "The above exception was the direct cause of the following exception"
        context = "During handling of the above exception, another exception occurred"
        positions = [
            traceback.index(part)
            for part in ("ZeroDivisionError: ", cause, "KeyError: 'k'", context, "ValueError: v")
        ]
        self.assertEqual(positions, sorted(positions))

    def test_suppressed_context(self) -> None:
        source = "try:\n  1 / 0\nexcept Exception:\n  raise ValueError from None"
        self.assertNotIn("ZeroDivisionError", self.run_code(source).traceback)

    def test_groups_and_notes(self) -> None:
        source = """
e = ValueError("inner")
e.add_note("a note")
raise ExceptionGroup("several", [e, ExceptionGroup("nested", [KeyError(1)])])"""
        error = self.error_of(source)
        self.assertEqual(error["message"], "several (2 sub-exceptions)")
        for part in ("ValueError: inner", "a note", "ExceptionGroup: nested", "KeyError: 1"):
            self.assertIn(part, error["traceback"])

    def test_the_exception_is_left_as_it_is(self) -> None:
        self.run_code("""
e = ValueError()
for i in range(100):
    e.add_note(str(i))
c = e
for i in range(100):
    c.__cause__ = KeyError(i)
    c = c.__cause__
raise e""")
        source = (
            "n = 0\nc = e\nwhile c.__cause__:\n  n += 1\n  c = c.__cause__\n[n, len(e.__notes__)]"
        )
        self.assertEqual(self.value_of(source), [100, 100])


class Bounded(SessionTest):
    """Each of these is told in little time and a bounded length, and the session lives."""

    def check(self, source: str, error_type: str | None = None) -> dict[str, str]:
        setup = self.run_code(SETUP)
        self.assertEqual(setup.error, {})
        start = time.perf_counter()
        outcome: Outcome = self.run_code(source)
        self.assertLess(time.perf_counter() - start, 5)
        error: dict[str, Any] = outcome.error
        self.assertEqual(error["kind"], "exception", source)
        self.assertLess(len(error["type"]), 300)
        self.assertLess(len(error["message"]), MAX_MESSAGE + 100)
        self.assertLess(len(error["traceback"]), MAX_TRACEBACK + 100)
        if error_type:
            self.assertEqual(error["type"], error_type)
        self.assert_alive()
        return error

    def test_long_messages(self) -> None:
        error = self.check("raise ValueError('x' * 10**7)", "ValueError")
        self.assertIn("9990000 characters left out", error["message"])
        self.check("raise SyntaxError('x' * 10**7)")
        self.check("raise SyntaxError('m', ('f', 1, 1, 'x' * 10**7))")
        self.check("raise KeyError('x' * 10**7)")
        self.check("raise ValueError('\\n' * 10**6)")

    def test_long_names(self) -> None:
        self.check("raise type('n' * 10**6, (Exception,), {})")
        self.check("raise type('E', (Exception,), {'__qualname__': 'q' * 10**6})")
        self.check("raise type('E', (Exception,), {'__module__': 'm' * 10**6})")

    def test_long_chains(self) -> None:
        error = self.check("raise chained(10**5)", "ValueError")
        self.assertIn("ValueError: last", error["traceback"])
        self.assertIn("KeyError: 1\n", error["traceback"])
        self.check("raise chained(10**5, '__context__')", "ValueError")
        self.check("e = chained(1)\ne.__cause__ = e\nraise e", "ValueError")
        self.check("e = chained(1)\ne.__cause__.__cause__ = e\nraise e", "ValueError")

    def test_notes(self) -> None:
        error = self.check("e = ValueError()\ne.__notes__ = ['n'] * 10**6\nraise e")
        self.assertEqual(error["traceback"].count("\nn"), 16)
        self.check("e = ValueError()\ne.__notes__ = 5\nraise e")
        self.check("e = ValueError()\ne.__notes__ = ['n' * 10**7]\nraise e")
        self.check("class E(Exception):\n  __notes__ = property(lambda s: 1 / 0)\nraise E")

    def test_wide_groups(self) -> None:
        error = self.check("raise ExceptionGroup('g', [ValueError(i) for i in range(10**4)])")
        self.assertIn("and 9985 more exceptions", error["traceback"])
        self.check("raise ExceptionGroup('g', [chained(10**4) for i in range(30)])")
        self.check("raise ExceptionGroup('g', [ValueError()] * 10**5)")

    def test_deep_groups(self) -> None:
        self.check(
            "g = ValueError()\nfor i in range(10**4):\n  g = ExceptionGroup('g', [g])\nraise g"
        )
        self.check(
            "g = ValueError()\nfor i in range(60):\n  g = ExceptionGroup('g', [g] * 20)\nraise g"
        )

    def test_hostile_methods(self) -> None:
        for body in (
            "def __str__(self): 1 / 0",
            "def __str__(self): return 5",
            "def __str__(self): return Liar('s')",
            "def __repr__(self): 1 / 0",
            "__class__ = property(lambda s: 1 / 0)",
            "__cause__ = property(lambda s: 1 / 0)",
            "__cause__ = property(lambda s: E())",
            "__context__ = property(lambda s: 5)",
            "__traceback__ = property(lambda s: 5)",
            "__suppress_context__ = property(lambda s: 1 / 0)",
            "__module__ = None",
            "__module__ = 5",
            "def __getattribute__(self, name): 1 / 0",
            "def __eq__(self, other): 1 / 0",
            "__hash__ = None",
        ):
            error = self.check(f"class E(Exception):\n  {body}\nraise E('m')", "E")
            self.assertNotEqual(error["traceback"], "", body)

    def test_hostile_metaclasses(self) -> None:
        for body in (
            "__name__ = property(lambda c: 1 / 0)",
            "__name__ = property(lambda c: 5)",
            "def __instancecheck__(c, i): 1 / 0",
            "def __getattribute__(c, n): 1 / 0",
        ):
            source = (
                f"class M(type):\n  {body}\nclass E(Exception, metaclass=M): pass\nraise E('m')"
            )
            self.check(source, "E")

    def test_hostile_groups(self) -> None:
        self.check("class G(ExceptionGroup):\n  exceptions = 5\nraise G('g', [ValueError()])", "G")
        source = "class G(ExceptionGroup):\n  exceptions = [5, None]\nraise G('g', [ValueError()])"
        self.check(source, "G")

    def test_recursion_in_long_lines(self) -> None:
        line = "f = lambda n: g(n); g = lambda n: f(n)" + " " * 10**6 + "# end"
        self.check(f"{line}\nf(0)", "RecursionError")

    def test_deep_stacks(self) -> None:
        error = self.check("def f(n): return f(n + 1)\nf(0)", "RecursionError")
        self.assertIn("[Previous line repeated", error["traceback"])

    def test_exits_with_hostile_codes(self) -> None:
        for code in ("Hostile()", "Liar('x' * 10**7)", "['x' * 10**7]"):
            self.check(f"raise SystemExit({code})")


SETUP = """
def chained(length, by='__cause__'):
    first = last = ValueError('last')
    for i in range(length):
        following = KeyError(i)
        setattr(last, by, following)
        last = following
    return first
class Liar(str):
    def __len__(self): return 0
    def __getitem__(self, key): return self
    def __str__(self): return self
class Hostile:
    def __eq__(self, other): 1 / 0
    def __str__(self): 1 / 0
    __class__ = property(lambda s: 1 / 0)
    __hash__ = None
None
"""
