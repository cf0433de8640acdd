"""What a run leaves going, loops inside loops, and loops that user code broke."""

from __future__ import annotations

import sys
import time
import unittest
from unittest import mock

from pcm_guest import loop
from pcm_guest.loop import PortLoop

from tests.fake_port import Reply, Request
from tests.session import SessionTest


def slowly(request: Request) -> Reply:
    """`tools.t(s=…)` takes `s` seconds and gives `s`."""
    seconds = request.args["args"].get("s", 0)
    return Reply(seconds, delay=seconds)


class LoopTest(SessionTest):
    answer = staticmethod(slowly)

    def setUp(self) -> None:
        super().setUp()
        self.run_code("import asyncio")


class Clock(LoopTest):
    def test_sleeping(self) -> None:
        self.run_code("await asyncio.gather(asyncio.sleep(30), asyncio.sleep(50))")
        self.assertEqual(self.port.now, 50)

    def test_timers_and_replies_together(self) -> None:
        source = """
order = []
async def note(work, name):
    await work
    order.append(name)
await asyncio.gather(
    note(asyncio.sleep(2), "timer"), note(tools.t.call_async(s=3), "reply 3"),
    note(tools.t.call_async(s=1), "reply 1"))
order"""
        self.assertEqual(self.value_of(source), ["reply 1", "timer", "reply 3"])

    def test_many_calls(self) -> None:
        source = "sum(await asyncio.gather(*[tools.t(s=i % 3) for i in range(3000)]))"
        self.assertEqual(self.value_of(source), 3000)
        self.assertEqual(self.port.now, 2)
        self.assertEqual([line.split()[0] for line in self.port.log[:3000]], ["submit"] * 3000)

    def test_functions_for_other_threads_run_here(self) -> None:
        self.run_code(
            "def f(x):\n  print(x)\n  return x\ndef stop(): raise StopIteration\nl = asyncio"
        )
        self.assertEqual(self.value_of("await asyncio.to_thread(f, 5)"), 5)
        source = "await asyncio.get_running_loop().run_in_executor(None, f, 6)"
        self.assertEqual(self.value_of(source), 6)
        self.assertEqual(self.value_of("await asyncio.to_thread(tools.t, s=1)"), 1)
        self.assertEqual(self.error_of("await asyncio.to_thread(stop)")["type"], "RuntimeError")
        self.assertEqual(self.error_of("await asyncio.to_thread(f, x=1, y=2)")["type"], "TypeError")


class AfterTheRun(LoopTest):
    """A run ends when its code ends: nothing of it goes on in the next."""

    def assert_nothing_goes_on(self) -> None:
        self.port.emitted.clear()
        self.value_of("await asyncio.sleep(1000)\nawait tools.t(s=1)")
        self.assertEqual((self.port.stdout, self.port.stderr), ("", ""))

    def test_tasks_are_cancelled(self) -> None:
        self.run_code("""
async def forever(name):
    try:
        while True:
            await asyncio.sleep(1)
            print(name)
    finally:
        print("cleaned", name)
asyncio.create_task(forever("a"))
await asyncio.sleep(1.5)""")
        self.assertEqual(self.port.stdout, "a\ncleaned a\n")
        self.assert_nothing_goes_on()

    def test_they_may_clean_up(self) -> None:
        self.run_code("""
async def work():
    try:
        await asyncio.sleep(100)
    finally:
        print(await tools.t(s=0.1))
asyncio.create_task(work())
await asyncio.sleep(0)""")
        self.assertEqual(self.port.stdout, "0.1\n")
        self.assert_nothing_goes_on()

    def test_tasks_that_resist(self) -> None:
        for caught in ("asyncio.CancelledError", "BaseException"):
            for pause in ("asyncio.sleep(1)", "tools.t(s=1)", "asyncio.Future()"):
                before = self.port.now
                outcome = self.run_code(f"""
async def resist():
    for _ in range(10**5):
        try:
            await {pause}
        except {caught}:
            pass
asyncio.create_task(resist())
await asyncio.sleep(0)
"the value" """)
                self.assertEqual(outcome.value, "the value")
                self.assertLess(self.port.now - before, 3)
                self.value_of("import gc\ngc.collect()")
                self.assert_nothing_goes_on()

    def test_tasks_that_are_always_busy(self) -> None:
        real_time = mock.patch.object(PortLoop, "time", lambda _loop: time.monotonic())
        with real_time, mock.patch.object(loop, "_PATIENCE", 0.01):
            self.run_code("""
async def resist():
    for _ in range(10**5):
        try:
            await asyncio.sleep(0)
        except BaseException:
            pass
asyncio.create_task(resist())
await asyncio.sleep(0)""")
        self.assert_nothing_goes_on()

    def test_tasks_that_multiply(self) -> None:
        self.run_code("""
async def multiply():
    try:
        await asyncio.sleep(100)
    finally:
        asyncio.create_task(multiply())
asyncio.create_task(multiply())
await asyncio.sleep(0)""")
        self.value_of("import gc\ngc.collect()")
        self.assert_nothing_goes_on()

    def test_tasks_that_fail_then(self) -> None:
        self.run_code("""
async def work():
    try:
        await asyncio.sleep(100)
    finally:
        1 / 0
asyncio.create_task(work())
await asyncio.sleep(0)""")
        self.value_of("import gc\ngc.collect()")
        self.assertEqual(self.port.stderr, "")

    def test_callbacks_are_dropped(self) -> None:
        self.run_code("""
loop = asyncio.get_running_loop()
loop.call_later(5, print, "later")
def again(): loop.call_soon(again)
again()""")
        self.assert_nothing_goes_on()
        self.run_code("loop = asyncio.get_event_loop()\nloop.call_later(5, print, 'later')")
        self.assert_nothing_goes_on()

    def test_tasks_of_a_plain_run(self) -> None:
        self.run_code("""
async def work():
    print("started")
loop = asyncio.get_event_loop()
t = loop.create_task(work())""")
        self.assertEqual(self.port.stdout, "")
        self.assertEqual(self.value_of("t.cancelled()"), True)
        self.assert_nothing_goes_on()

    def test_replies_that_come_late(self) -> None:
        self.run_code("asyncio.create_task(tools.t(s=5))\nawait asyncio.sleep(1)")
        self.assertEqual(self.value_of("await tools.t(s=10)"), 10)
        self.assertEqual(self.port.stderr, "")

    def test_locks_and_queues_live_on(self) -> None:
        self.run_code(
            "q = asyncio.Queue()\nlock = asyncio.Lock()\nasync def get(): return await q.get()"
        )
        self.run_code(
            "t = asyncio.create_task(get())\nawait asyncio.sleep(0)\nawait q.put(1)\nawait t"
        )
        source = "t = asyncio.create_task(get())\nawait asyncio.sleep(0)\nawait q.put(2)\nawait t"
        self.assertEqual(self.value_of(source), 2)
        self.run_code("async with lock: pass")
        self.assertEqual(self.value_of("async with lock:\n  x = 5\nx"), 5)


class Interrupted(LoopTest):
    """The loop is of use after everything that can come out of a task."""

    def test_in_the_main_task(self) -> None:
        for raised in (
            "KeyboardInterrupt",
            "SystemExit(3)",
            "asyncio.CancelledError",
            "GeneratorExit",
        ):
            self.error_of(
                f"asyncio.create_task(asyncio.sleep(9))\nawait asyncio.sleep(1)\nraise {raised}"
            )
            self.assertEqual(self.value_of("await tools.t(s=1)"), 1)

    def test_in_another_task(self) -> None:
        self.run_code("async def f(e):\n  await asyncio.sleep(1)\n  raise e")
        for raised in ("KeyboardInterrupt", "SystemExit(3)", "GeneratorExit", "ValueError"):
            error = self.error_of(f"await asyncio.gather(f({raised}), asyncio.sleep(100))")
            self.assertEqual(error["type"], raised.partition("(")[0])
            self.assertEqual(self.value_of("await tools.t(s=1)"), 1)

    def test_in_the_wait(self) -> None:
        self.run_code(
            "async def f():\n  try:\n    await tools.t(s=5)\n  finally:\n    await tools.t(s=5)"
        )
        poll = self.port.poll

        def interrupted(timeout: float | None) -> None:
            raise KeyboardInterrupt

        self.port.poll = interrupted  # type: ignore[method-assign]
        error = self.error_of("await asyncio.gather(f(), f())")
        self.assertEqual(error["type"], "KeyboardInterrupt")
        self.port.poll = poll  # type: ignore[method-assign]
        self.assertEqual(self.value_of("await asyncio.sleep(100)\nawait tools.t(s=1)"), 1)

    def test_in_a_callback(self) -> None:
        self.run_code("def f(): raise KeyboardInterrupt")
        self.error_of("asyncio.get_running_loop().call_soon(f)\nawait asyncio.sleep(5)")
        self.assertEqual(self.value_of("await tools.t(s=1)"), 1)


class Nested(LoopTest):
    def test_a_reply_for_the_outer_loop(self) -> None:
        source = """
outer = asyncio.create_task(tools.t(s=1))
await asyncio.sleep(0)
loop = asyncio.new_event_loop()
asyncio._set_running_loop(None)
inner = loop.run_until_complete(tools.t.call_async(s=2))
asyncio._set_running_loop(asyncio.get_event_loop_policy().get_event_loop())
[inner, await outer]"""
        if self.value_of(
            "import sys\nsys.version_info < (3, 14)"
        ):  # later a task must be left first
            self.assertEqual(self.value_of(source), [2, 1])
            self.assertEqual(self.port.now, 2)

    def test_a_loop_that_was_closed_too_early(self) -> None:
        self.run_code("""
loop = asyncio.new_event_loop()
async def start():
    asyncio.create_task(tools.t(s=1))
    await asyncio.sleep(0)
loop.run_until_complete(start())
loop.close()""")
        self.assertEqual(self.value_of("await tools.t(s=2)"), 2)

    def test_running_a_loop_of_ones_own(self) -> None:
        self.run_code("async def f(): return await tools.t(s=1)")
        for run in ("asyncio.run(f())", "asyncio.Runner().run(f())"):
            self.assertEqual(self.value_of(run), 1)
        error = self.error_of("await asyncio.sleep(0)\nasyncio.run(f())")
        self.assertIn("cannot be called from a running event loop", error["message"])


class Damage(LoopTest):
    """Whatever a run does to asyncio, the next one has its loop."""

    def test_to_the_loop(self) -> None:
        for source in (
            "asyncio.get_event_loop().close()",
            "asyncio.run(asyncio.sleep(0))",
            "asyncio.set_event_loop(None)",
            "asyncio.set_event_loop_policy(None)",
            "asyncio._set_running_loop(asyncio.get_event_loop())",
            "asyncio.get_event_loop().set_exception_handler(lambda *a: 1 / 0)",
            "asyncio.get_event_loop().set_debug(True)",
            "asyncio.get_event_loop().stop()",
            "asyncio.get_running_loop().stop()\nawait asyncio.sleep(1)",
            "import sys\nsys.set_asyncgen_hooks(lambda g: 1 / 0, lambda g: 1 / 0)",
        ):
            self.run_code(source)
            self.assertEqual(self.value_of("1 + 1"), 2, source)
            self.assertEqual(self.value_of("await tools.t(s=1)"), 1, source)
            run = "async def f(): return await tools.t(s=1)\nasyncio.run(f())"
            self.assertEqual(self.value_of(run), 1, source)
            drive = "asyncio.get_event_loop().run_until_complete(f())"
            self.assertEqual(self.value_of(drive), 1, source)

    def test_a_task_factory(self) -> None:
        self.run_code("asyncio.get_event_loop().set_task_factory(lambda *a, **k: 1 / 0)")
        self.assertEqual(self.value_of("await tools.t(s=1)"), 1)

    @unittest.skipIf(sys.platform in ("emscripten", "wasi"), "there are no selectors")
    def test_another_kind_of_loop(self) -> None:
        source = """
class Other(asyncio.SelectorEventLoop): pass
with asyncio.Runner(loop_factory=Other) as runner:
    r = runner.run(tools.t.call_async(s=1))
r"""
        self.assertEqual(self.value_of(source), 1)
        self.assertEqual(self.port.log, ["call tools.call t", "reply tools.call t"])
