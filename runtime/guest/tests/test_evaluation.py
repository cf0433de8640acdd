"""The evaluation rule: what the value of a run is, and what stays for the next."""

from __future__ import annotations

import unittest

from tests.session import SessionTest


class Value(SessionTest):
    def test_the_last_expression_is_the_value(self) -> None:
        for source, value in {
            "1 + 1": 2,
            "x = 40\ny = 2\nx + y": 42,
            "x = 1; x": 1,
            "x;": 40,
            "(n := 5)": 5,
            "(lambda a: a + 1)(1)": 2,
            "'docstring only'": "docstring only",
            "1 if True else 2": 1,
            "[i async for i in numbers()]": [0, 1],
            "x = 'emoji: \U0001f600'; x": "emoji: \U0001f600",
        }.items():
            self.run_code("x = 40\nasync def numbers():\n  yield 0\n  yield 1")
            self.assertEqual(self.value_of(source), value, source)

    def test_statements_have_no_value(self) -> None:
        for source in (
            "x = 1",
            "",
            "  \n\t\n",
            "# only a comment",
            "if True:\n  5",
            "pass",
            "None",
        ):
            self.assertEqual(self.run_code(source).frame, {"value": None}, source)

    def test_a_value_without_encoding_is_shown(self) -> None:
        outcome = self.run_code("object")
        self.assertIsNone(outcome.value)
        self.assertEqual(outcome.repr, "<class 'object'>")

    def test_the_repr_can_be_asked_for(self) -> None:
        outcome = self.run_code("{'a': b'x'}", repr=True)
        self.assertEqual((outcome.value, outcome.repr), ({"a": b"x"}, "{'a': b'x'}"))
        self.assertIsNone(self.run_code("1").repr)

    def test_null_is_told_from_none(self) -> None:
        source = "import enum\nclass Nothing(enum.Enum):\n  AT_ALL = None\nNothing.AT_ALL"
        self.assertEqual(self.run_code(source).repr, "<Nothing.AT_ALL: None>")

    def test_a_value_that_is_too_long_is_shown(self) -> None:
        self.assertEqual(self.run_code("'é' * 49", value_bytes=100).value, "é" * 49)
        outcome = self.run_code("'é' * 50", value_bytes=100)
        self.assertEqual((outcome.value, outcome.repr), (None, repr("é" * 50)))

    def test_the_types_count_as_part_of_the_value(self) -> None:
        self.assertIsNone(self.run_code("[float('nan')] * 10", value_bytes=150).value)

    def test_the_repr_is_bounded(self) -> None:
        shown = self.run_code("object, 'x' * 10**6").repr
        assert shown is not None
        self.assertLess(len(shown), 10_100)
        self.assertTrue(shown.startswith("(<class 'object'>, 'xxx"))
        self.assertTrue(shown.endswith("xxx')"))


class State(SessionTest):
    def test_variables_functions_and_imports_stay(self) -> None:
        self.run_code("import math\nx = 42\ndef double(n):\n  return n * 2\nclass C:\n  a = 1")
        self.assertEqual(self.value_of("[double(x), math.floor(1.5), C().a]"), [84, 1, 1])

    def test_a_failing_run_leaves_them(self) -> None:
        self.run_code("x = 42")
        self.error_of("x = 43\n1 / 0")
        self.assertEqual(self.value_of("x"), 43)

    def test_it_is_the_main_module(self) -> None:
        self.assertEqual(self.value_of("__name__"), "__main__")
        source = (
            "import sys, pickle, dataclasses\n@dataclasses.dataclass\nclass P:\n  x: int = 1\n"
            "[sys.modules['__main__'].P is P, pickle.loads(pickle.dumps(P(3))) == P(3)]"
        )
        self.assertEqual(self.value_of(source), [True, True])

    def test_the_source_of_functions_can_be_read(self) -> None:
        self.run_code("def f():\n    return 'one'\n")
        self.run_code("pass")
        source = "import inspect\ninspect.getsource(f)"
        self.assertEqual(self.value_of(source), "def f():\n    return 'one'\n")

    def test_old_sources_are_forgotten(self) -> None:
        self.run_code("def f(): pass")
        for _ in range(500):
            self.run_code("pass")
        self.assertEqual(self.value_of("import linecache\n'<run 1>' in linecache.cache"), False)

    def test_context_variables_are_one_for_all_runs(self) -> None:
        self.run_code("import contextvars, asyncio\nv = contextvars.ContextVar('v', default=0)")
        self.run_code("v.set(1)")
        self.assertEqual(self.value_of("await asyncio.sleep(0)\nv.get()"), 1)
        self.run_code("await asyncio.sleep(0)\nv.set(2)")
        self.assertEqual(self.value_of("v.get()"), 2)
        self.run_code("async def inner(): v.set(3)\nawait asyncio.gather(inner())")
        self.assertEqual(self.value_of("v.get()"), 2, "a task has a copy")

    def test_rehearsing_leaves_nothing(self) -> None:
        self.session.guest.rehearse([b"x = 1", b"1 / 0", b"await tools.t()"], OPTIONS)
        self.assertEqual(self.error_of("x")["type"], "NameError")
        self.assertIn('"<run 2>"', self.run_code("1 / 0").traceback)
        self.assertEqual(self.value_of("import linecache\n'<run 3>' in linecache.cache"), True)
        self.assertEqual(self.value_of("'<run 5>' in linecache.cache"), False)

    def test_random_numbers_of_a_shared_state_are_renewed(self) -> None:
        seeded = "import random, tempfile\nrandom.seed(7)\ntempfile._get_candidate_names()"
        first = "[random.random(), next(tempfile._get_candidate_names())]"
        drawn = set()
        for _ in range(2):
            self.run_code(seeded)
            drawn.add(tuple(self.value_of(first, shared=True)))
        self.assertEqual(len({number for number, _ in drawn}), 2)
        self.assertEqual(len({name for _, name in drawn}), 2)

    def test_what_else_sessions_must_not_share_is_renewed_too(self) -> None:
        renewed: list[int] = []
        self.session.guest.renewals.append(lambda: renewed.append(1))
        self.run_code("1")
        self.assertEqual(renewed, [])
        self.session.run("1", shared=True)
        self.assertEqual(renewed, [1])

    def test_a_seed_of_the_user_stays(self) -> None:
        self.run_code("import random\nrandom.seed(7)")
        self.assertEqual(self.value_of("random.random()"), 0.32383276483316237)


OPTIONS = b"1 1000 1000 0"


class Errors(SessionTest):
    def test_an_exception(self) -> None:
        error = self.error_of("1 / 0")
        self.assertEqual(
            (error["kind"], error["type"], error["message"]),
            ("exception", "ZeroDivisionError", "division by zero"),
        )

    def test_output_before_it_is_kept(self) -> None:
        self.error_of("print('before')\n1 / 0")
        self.assertEqual(self.port.stdout, "before\n")

    def test_source_that_does_not_compile(self) -> None:
        sources: dict[str | bytes, str | None] = {
            "def broken(": "SyntaxError",
            "yield 1": "SyntaxError",
            "return 1": "SyntaxError",
            "if x:\nprint(1)": "IndentationError",
            "x = 1\n  y = 2": "IndentationError",
            "'\\N{no such}'": "SyntaxError",
            "f(" * 10_000: None,
            "-" * 100_000 + "1": None,
            b"x = '\xff'": "UnicodeDecodeError",
        }
        for source, error_type in sources.items():
            error = self.error_of(source)
            self.assertEqual(error["kind"], "syntax", source[:20])
            if error_type:
                self.assertEqual(error["type"], error_type)
            self.assertEqual(self.value_of("1 + 1"), 2)

    def test_a_null_byte(self) -> None:
        self.assertEqual(self.error_of("x = '\0'")["kind"], "syntax")

    def test_a_missing_module(self) -> None:
        error = self.error_of("import this_module_does_not_exist_xyz")
        self.assertEqual(error["type"], "ModuleNotFoundError")
        self.assertIn("this_module_does_not_exist_xyz", error["message"])

    def test_a_function_of_an_earlier_run(self) -> None:
        self.run_code("def f():\n    raise RuntimeError('boom')")
        error = self.error_of("f()")
        self.assertEqual((error["type"], error["message"]), ("RuntimeError", "boom"))
        self.assertIn("raise RuntimeError('boom')", error["traceback"])

    def test_recursion(self) -> None:
        for source in ("def f(): f()\nf()", "async def g(): await g()\nawait g()"):
            self.assertEqual(self.error_of(source)["type"], "RecursionError")
            self.assert_alive()


class Exits(SessionTest):
    def test_a_clean_exit_is_no_error(self) -> None:
        for source in ("import sys\nsys.exit()", "raise SystemExit", "exit(0)", "quit()"):
            self.assertEqual(self.run_code(source).frame, {"value": None}, source)

    def test_any_other_is_one(self) -> None:
        for code in ("3", "'sorry'", "[1]", "-1", "1.5"):
            error = self.error_of(f"raise SystemExit({code})")
            self.assertEqual((error["kind"], error["type"]), ("exception", "SystemExit"))
            self.assertEqual(error["message"], str(eval(code)))

    def test_from_a_task(self) -> None:
        self.error_of("import asyncio\nasync def f(): exit(3)\nawait asyncio.gather(f())")
        self.assert_alive()

    def test_base_exceptions_do_not_get_out(self) -> None:
        for raised in ("KeyboardInterrupt", "GeneratorExit", "BaseException(1)", "Mine"):
            for source in (f"raise {raised}", f"await asyncio.sleep(0)\nraise {raised}"):
                self.run_code("import asyncio\nclass Mine(BaseException): pass")
                error = self.error_of(source)
                self.assertEqual(error["kind"], "exception")
                self.assertEqual(error["type"], raised.removesuffix("(1)"))
                self.assert_alive()


class Memory(SessionTest):
    def test_exhaustion_is_told_apart(self) -> None:
        for source in (
            "raise MemoryError",
            "bytearray(2**62)",
            "'x' * 2**70",
            "await __import__('asyncio').sleep(0)\n[0] * 2**62",
        ):
            outcome = self.run_code(source)
            self.assertEqual(outcome.error["kind"], "memory", source)
            self.assertNotIn("exhausted", outcome.frame)
        self.assert_alive()

    def test_other_overflows_are_exceptions(self) -> None:
        self.assertEqual(self.error_of("2.0 ** 10000")["kind"], "exception")


class SourceText(SessionTest):
    def test_line_ends(self) -> None:
        for source in ("x = 1\r\nx + 1\r\n", "x = 1\rx + 1", "\ufeffx = 1\nx + 1"):
            self.assertEqual(self.value_of(source), 2, source)

    def test_a_coding_cookie_names_the_encoding(self) -> None:
        for encoding in ("latin-1", "utf-8"):
            source = f"# -*- coding: {encoding} -*-\n'é'".encode(encoding)
            self.assertEqual(self.value_of(source), "é")
        for encoding in ("no-such-coding", "rot13", "hex"):
            outcome = self.run_code(f"# -*- coding: {encoding} -*-\n'é'")
            self.assertEqual(outcome.error["type"], "SyntaxError")
            self.assertNotIn("exhausted", outcome.frame)

    def test_future_imports(self) -> None:
        source = (
            '"a docstring"\nfrom __future__ import annotations\ndef f(x: undefined): pass\n'
            "f.__annotations__"
        )
        self.assertEqual(self.value_of(source), {"x": "undefined"})
        self.assertEqual(self.run_code("from __future__ import annotations").error, {})

    def test_form_feeds_do_not_shift_the_lines(self) -> None:
        traceback = self.run_code(
            "x = 1\f\u2028\n".replace("\u2028", "#\u2028") + "1 / 0"
        ).traceback
        self.assertIn('"<run 1>", line 2', traceback)
        self.assertIn("    1 / 0\n", traceback)


class TopLevelAwait(SessionTest):
    def test_await(self) -> None:
        source = "async def answer():\n  return 42\nawait answer()"
        self.assertEqual(self.value_of(source), 42)

    def test_in_a_statement_before_a_plain_expression(self) -> None:
        self.assertEqual(self.value_of("async def a(): return 1\nx = await a()\nx + 1"), 2)

    def test_before_a_last_statement(self) -> None:
        self.run_code("async def a(): return 1\nawait a()\nx = 5")
        self.assertEqual(self.value_of("x"), 5)

    def test_async_for_and_with(self) -> None:
        source = """
import contextlib
@contextlib.asynccontextmanager
async def manager():
    yield 'managed'
async def numbers():
    for i in range(3):
        yield i
seen = []
async for n in numbers():
    seen.append(n)
async with manager() as m:
    seen.append(m)
seen
"""
        self.assertEqual(self.value_of(source), [0, 1, 2, "managed"])

    def test_async_generators_live_across_runs(self) -> None:
        self.run_code(
            "async def numbers():\n  try:\n    yield 1\n    yield 2\n  finally: print('closed')\n"
            "g = numbers()"
        )
        self.assertEqual(self.value_of("await anext(g)"), 1)
        self.assertEqual(self.value_of("await anext(g)"), 2)
        self.assertEqual(self.port.stdout, "")
        self.run_code("await g.aclose()")
        self.assertEqual(self.port.stdout, "closed\n")

    def test_an_async_generator_left_early_is_closed_in_its_run(self) -> None:
        self.run_code(
            "async def numbers():\n  try:\n    yield 1\n  finally:\n    print('closed')\n"
            "async for n in numbers(): break"
        )
        self.assertEqual((self.port.stdout, self.port.stderr), ("closed\n", ""))


if __name__ == "__main__":
    unittest.main()
