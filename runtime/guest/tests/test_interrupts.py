"""Interrupts: a SIGINT raises in user code, and leaves the session as it was otherwise."""

from __future__ import annotations

import signal
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from pcm_guest import Guest
from pcm_guest.interpreter import Interpreter
from pcm_guest.interrupts import Interrupts
from pcm_guest.loop import Loops

from tests.session import SessionTest

INTERRUPT = "import signal\nsignal.raise_signal(signal.SIGINT)"


class Run(SessionTest):
    def interrupted(self, source: str) -> dict[str, str]:
        """Runs what interrupts itself, and looks that the session lives."""
        outcome = self.run_code(source)
        self.assertEqual(outcome.error.get("type"), "KeyboardInterrupt", outcome.frame)
        self.assertNotIn("exhausted", outcome.frame)
        self.assert_alive()
        return outcome.error

    def test_variables_stay(self) -> None:
        self.interrupted(f"x = 1\n{INTERRUPT}\nx = 2")
        self.assertEqual(self.value_of("x"), 1)

    def test_the_traceback_names_the_line(self) -> None:
        error = self.interrupted(f"def work():\n    {INTERRUPT.replace(chr(10), '; ')}\nwork()")
        self.assertIn("in work", error["traceback"])

    def test_code_may_catch_it(self) -> None:
        caught = (
            f"try:\n    {INTERRUPT.replace(chr(10), '; ')}\nexcept KeyboardInterrupt: r = 'ok'\nr"
        )
        self.assertEqual(self.value_of(caught), "ok")

    def test_what_user_code_changed_is_put_back(self) -> None:
        self.interrupted(
            f"import builtins, sys\nbuiltins.len = None\nsys.stdout = None\n{INTERRUPT}"
        )
        self.assertEqual(self.value_of("len([1])"), 1)

    def test_a_task_sees_it_where_it_waits(self) -> None:
        code = """
import asyncio, signal
async def work():
    try:
        await asyncio.sleep(100)
    finally:
        seen.append('cleaned up')
seen = []
asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
await work()"""
        error = self.interrupted(code)
        self.assertIn("await asyncio.sleep(100)", error["traceback"])
        self.assertEqual(self.value_of("seen"), ["cleaned up"])

    def test_a_waiting_task_may_catch_it(self) -> None:
        code = """
import asyncio, signal
asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
try:
    await asyncio.sleep(100)
except KeyboardInterrupt:
    reply = await tools.t(x=1)
reply"""
        self.assertEqual(self.value_of(code), {"name": "t", "args": {"x": 1}})

    def test_gathered_tasks_end(self) -> None:
        code = """
import asyncio, signal
async def work(i):
    try:
        await asyncio.sleep(100)
    finally:
        seen.append(i)
seen = []
asyncio.get_running_loop().call_later(1, signal.raise_signal, signal.SIGINT)
await asyncio.gather(work(1), work(2))"""
        self.interrupted(code)
        self.assertEqual(self.value_of("sorted(seen)"), [1, 2])

    def test_the_repr_of_a_value(self) -> None:
        code = f"class C:\n    def __repr__(self):\n        {INTERRUPT.replace(chr(10), '; ')}\nC()"
        self.interrupted(code)

    def test_the_text_of_an_error(self) -> None:
        outcome = self.run_code(
            "class E(Exception):\n    def __str__(self):\n"
            f"        {INTERRUPT.replace(chr(10), '; ')}\nraise E"
        )
        self.assertNotIn("exhausted", outcome.frame)
        self.assert_alive()

    def test_a_handler_of_the_user_lasts_one_run(self) -> None:
        ignored = f"import signal\nsignal.signal(signal.SIGINT, lambda *_: None)\n{INTERRUPT}\n1"
        self.assertEqual(self.value_of(ignored), 1)
        self.interrupted(INTERRUPT)

    def test_an_interrupt_between_runs_is_forgotten(self) -> None:
        self.run_code("1")
        signal.raise_signal(signal.SIGINT)
        self.assert_alive()


class OnTheWayOut(SessionTest):
    """An interrupt may come with any call of the evaluator, and others while it is dealt with."""

    RENAMED = """
import builtins
builtins.KeyboardInterrupt = builtins.BaseException = builtins.MemoryError = int
builtins.SystemExit = builtins.isinstance = builtins.len = int
"""

    def test_each_step_interrupted(self) -> None:
        steps: list[tuple[type, str]] = [
            (Interpreter, "__exit__"),
            (Interpreter, "leave"),
            (Interpreter, "restore"),
            (Loops, "renew"),
            (Loops, "settle"),
            (Guest, "_recover"),
        ]
        waiting = "import asyncio\nasyncio.create_task(asyncio.sleep(9))\nawait asyncio.sleep(0)\n"
        for kind, name in steps:
            with interrupted(kind, name) as count:
                for begin in ("", waiting):
                    for end in ("", "undefined", INTERRUPT):
                        with self.subTest(step=name, begin=begin, end=end):
                            outcome = self.run_code(begin + self.RENAMED + end)
                            self.assertNotIn("exhausted", outcome.frame)
            self.assertTrue(count, name)
            self.assert_alive()


@contextmanager
def interrupted(kind: type, name: str) -> Iterator[list[int]]:
    """Interrupts whoever calls that method, each time; gives a list of the calls."""
    method = getattr(kind, name)
    count: list[int] = []

    def wrapper(*arguments: object) -> object:
        count.append(1)
        signal.raise_signal(signal.SIGINT)
        return method(*arguments)

    with mock.patch.object(kind, name, wrapper):
        yield count


class Holding(unittest.TestCase):
    def setUp(self) -> None:
        handler = signal.getsignal(signal.SIGINT)
        self.addCleanup(signal.signal, signal.SIGINT, handler)
        self.interrupts = Interrupts()
        self.interrupts.begin()

    def test_what_is_held_back_comes_later(self) -> None:
        signal.raise_signal(signal.SIGINT)
        with self.assertRaises(KeyboardInterrupt):
            self.interrupts.allow()
        self.interrupts.allow()  # once only

    def test_holding_again(self) -> None:
        self.interrupts.allow()
        self.interrupts.allowed = False
        signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    unittest.main()
