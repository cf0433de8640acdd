"""Parts that a backend brings whose sessions share an interpreter."""

from __future__ import annotations

import builtins
import functools
import types
import unittest
from typing import Any

from pcm_guest import Guest
from pcm_guest.evaluate import Parts
from pcm_guest.interpreter import Interpreter
from pcm_guest.interrupts import Interrupts
from pcm_guest.streams import Streams

from tests.fake_port import FakePort
from tests.session import Session, session


class OwnBuiltins(unittest.TestCase):
    def setUp(self) -> None:
        self.enterContext(session())  # keeps the interpreter as it is
        self.before = dict(vars(builtins))
        self.one, self.two = self.make(), self.make()

    def make(self) -> Session:
        port = FakePort(None)
        made = Session(port)
        own = types.ModuleType("builtins")
        vars(own).update(self.before)
        interpreter = functools.partial(Interpreter, own=own)
        made.guest = Guest(port, parts=Parts(Streams(port), interpreter=interpreter))
        made.guest.install()
        return made

    def test_a_session_changes_its_own(self) -> None:
        self.one.run("__builtins__.planted = 1\n__builtins__.len = None")
        self.assertEqual(self.one.run("planted").value, 1)
        self.assertEqual(self.two.run("planted").error["type"], "NameError")
        self.assertEqual(vars(builtins).keys() - self.before.keys(), set())

    def test_what_it_breaks_is_put_back(self) -> None:
        self.one.run("vars(__builtins__).clear()")
        self.assertEqual(self.one.run("len([1])").value, 1)

    def test_what_waits_for_a_person_is_replaced_there(self) -> None:
        self.assertEqual(self.one.run("input()").error["type"], "EOFError")
        self.assertIs(builtins.input, self.before["input"])


class OwnInterrupts(unittest.TestCase):
    def test_no_handler_is_installed(self) -> None:
        class Silent(Interrupts):
            def listen(self) -> None:
                calls.append("listen")

        calls: list[Any] = []
        interrupts = Silent()
        interrupts.begin()
        self.assertEqual(calls, ["listen"])
        interrupts.pending = True
        with self.assertRaises(KeyboardInterrupt):
            interrupts.allow()
        self.assertFalse(interrupts.pending)
