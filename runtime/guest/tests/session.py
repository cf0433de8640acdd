"""A guest inside the interpreter of the tests, which is as before when the test is over."""

from __future__ import annotations

import ast
import asyncio
import builtins
import decimal
import gc
import inspect
import json
import linecache
import random
import signal
import sys
import traceback
import unittest
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from pcm_guest import Guest, compiling, loop
from pcm_guest.encoding import decode
from pcm_guest.loop import PortLoop

from tests.fake_port import Answer, FakePort, strict_json


@dataclass
class Outcome:
    """The outcome of a run, with its value put back to what it was."""

    frame: dict[str, Any]

    @property
    def value(self) -> Any:
        return decode(self.frame["value"], self.frame.get("types", {}))

    @property
    def repr(self) -> str | None:
        shown: str | None = self.frame.get("repr")
        return shown

    @property
    def error(self) -> dict[str, str]:
        error: dict[str, str] = self.frame.get("error") or {}
        return error

    @property
    def traceback(self) -> str:
        return self.error["traceback"]


class Session:
    """A guest, its port, and how the host would run code in it."""

    def __init__(self, port: FakePort) -> None:
        self.port = port
        self.guest = Guest(port)

    def run(self, source: str | bytes, **options: Any) -> Outcome:
        settings = {"repr": False, "value_bytes": 1 << 20, "recursion": 1000, "shared": False}
        settings |= options
        frame = " ".join(str(int(number)) for number in settings.values()).encode()
        encoded = source if isinstance(source, bytes) else source.encode()
        return Outcome(strict_json(self.guest.run(frame, encoded)))


@contextmanager
def session(answer: Answer | None = None, **port_options: Any) -> Iterator[Session]:
    """A guest that is installed into this interpreter for as long as the block lasts."""
    port = FakePort(answer, **port_options)
    with _kept_interpreter(), mock.patch.object(PortLoop, "time", lambda _loop: port.now):
        guest_session = Session(port)
        guest_session.guest.install()
        try:
            yield guest_session
        finally:
            compiling.forget_sources()
            loop._abandoned.clear()
            gc.collect()  # what was abandoned may complain, but to the fake port


# What the hostile tests damage, beside what a guest changes by being installed.
_DAMAGED = (ast, asyncio, builtins, gc, inspect, json, linecache, random, sys, traceback, warnings)


@contextmanager
def _kept_interpreter() -> Iterator[None]:
    contents: list[tuple[dict[Any, Any], dict[Any, Any]]] = [
        (namespace, dict(namespace))
        for namespace in (*map(vars, _DAMAGED), sys.modules, linecache.cache)
    ]
    lists: tuple[list[Any], ...] = (sys.path, sys.meta_path)
    paths = [(path, list(path)) for path in lists]
    recursion_limit = sys.getrecursionlimit()
    digits = sys.get_int_max_str_digits()
    random_state = random.getstate()
    hooks = sys.get_asyncgen_hooks()
    running = asyncio._get_running_loop()
    handler = signal.getsignal(signal.SIGINT)
    with warnings.catch_warnings(), decimal.localcontext():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.14 about the policy
        policy = asyncio.get_event_loop_policy()
        try:
            yield
        finally:
            for namespace, before in contents:
                namespace.clear()
                namespace.update(before)
            for path, entries in paths:
                path[:] = entries
            sys.setrecursionlimit(recursion_limit)
            sys.set_int_max_str_digits(digits)
            sys.settrace(None)
            sys.setprofile(None)
            sys.set_asyncgen_hooks(*hooks)
            gc.enable()
            random.setstate(random_state)
            asyncio._set_running_loop(running)
            signal.signal(signal.SIGINT, handler)
            asyncio.set_event_loop_policy(policy)


class SessionTest(unittest.TestCase):
    """A test with a fresh session of its own."""

    def setUp(self) -> None:
        self.session = self.enterContext(session(self.answer))
        self.port = self.session.port
        self.run_code = self.session.run

    answer: Answer | None = None

    def value_of(self, source: str | bytes, **options: Any) -> Any:
        """The value of a run that must succeed."""
        outcome = self.run_code(source, **options)
        self.assertEqual(outcome.error, {}, source[:60])
        return outcome.value

    def error_of(self, source: str | bytes, **options: Any) -> dict[str, str]:
        """The error of a run that must fail."""
        outcome = self.run_code(source, **options)
        self.assertNotEqual(outcome.error, {}, source[:60])
        self.assertIsNone(outcome.value)
        return outcome.error

    def assert_alive(self) -> None:
        """The session is of further use."""
        self.assertEqual(self.value_of("print('alive')\n[20 + 1] * 2"), [21, 21])
        self.assertTrue(self.port.stdout.endswith("alive\n"), self.port.stdout)
        # The fake port answers with the arguments, if the test did not give it another rule.
        if self.answer is None:
            twice = "import asyncio\nawait asyncio.gather(tools.t(i=1), tools.t(i=2))"
            replies = [{"name": "t", "args": {"i": 1}}, {"name": "t", "args": {"i": 2}}]
            self.assertEqual(self.value_of(twice), replies)
