"""Every form that `rewriting` documents, by what is asked of the host and in which order."""

from __future__ import annotations

import ast
import time
import unittest

from pcm_guest.rewriting import rewrite

from tests.fake_port import Reply, Request
from tests.session import SessionTest

ONE_BY_ONE = ["call tools.call a", "reply tools.call a", "call tools.call b", "reply tools.call b"]
TOGETHER = [
    "submit tools.call a",
    "submit tools.call b",
    "reply tools.call b",
    "reply tools.call a",
]
BOTH = ["A", "B"]


def slow_a(request: Request) -> Reply:
    """`tools.a` gives "A" after two seconds, `tools.b` gives "B" after one."""
    tool = str(request.args["name"])
    return Reply(tool.upper(), delay={"a": 2.0, "b": 1.0}.get(tool, 0.0))


class RewritingTest(SessionTest):
    answer = staticmethod(slow_a)

    def setUp(self) -> None:
        super().setUp()
        self.run_code("import asyncio")

    def check(self, source: str, value: object, log: list[str]) -> None:
        self.port.log.clear()
        self.assertEqual(self.value_of(source), value, source)
        self.assertEqual(self.port.log, log, source)
        self.assertEqual(self.port.stderr, "")


class Place1(RewritingTest):
    def test_awaited_calls(self) -> None:
        asked = ["submit tools.call a", "reply tools.call a"]
        for source in (
            "await tools.a()",
            "await tools.a() if True else 1",
            "await (tools.a() if True else tools.b())",
            "await (tools.b() if False else tools.a())",
            "x = await tools.a()\nx",
            "async def f():\n  return await tools.a()\nawait f()",
            "[await tools.a() for _ in range(1)][0]",
            "(await asyncio.gather(asyncio.shield(tools.a())))[0]",
        ):
            self.check(source, "A", asked)

    def test_other_callables_are_left_alone(self) -> None:
        self.run_code("async def f(x):\n  return x\nclass C:\n  async def m(self, x): return x")
        self.check("[await f(1), await C().m(2)]", [1, 2], [])

    def test_nested_calls_block(self) -> None:
        self.run_code("async def f(x):\n  return x")
        self.check("await f(tools.a())", "A", ["call tools.call a", "reply tools.call a"])


class Place2(RewritingTest):
    def test_gather(self) -> None:
        self.run_code("from asyncio import gather\nnames = 'ab'")
        for arguments in (
            "tools.a(), tools.b()",
            "*[tools.a(), tools.b()]",
            "*(tools.a(), tools.b())",
            "*[getattr(tools, n)() for n in names]",
            "*(getattr(tools, n)() for n in names)",
            "tools.a(), *[tools.b()]",
            "tools.a() if True else None, tools.b() if names else tools.a()",
            "tools.a(), tools.b(), return_exceptions=True",
        ):
            self.check(f"await asyncio.gather({arguments})", BOTH, TOGETHER)
            self.check(f"await gather({arguments})", BOTH, TOGETHER)
            self.check(
                f"async def f():\n  return await asyncio.gather({arguments})\nawait f()",
                BOTH,
                TOGETHER,
            )

    def test_the_submissions_come_before_the_wait(self) -> None:
        before = self.port.now
        self.check("await asyncio.gather(tools.a(), tools.b())", BOTH, TOGETHER)
        self.assertEqual(self.port.now - before, 2.0)

    def test_tasks(self) -> None:
        for make in (
            "asyncio.create_task",
            "asyncio.ensure_future",
            "asyncio.get_event_loop().create_task",
        ):
            source = f"t = {make}(tools.a())\nu = {make}(tools.b())\n[await t, await u]"
            self.check(source, BOTH, TOGETHER)

    def test_task_groups(self) -> None:
        source = """
async with asyncio.TaskGroup() as group:
    t = group.create_task(tools.a())
    u = group.create_task(tools.b())
[t.result(), u.result()]"""
        self.check(source, BOTH, TOGETHER)

    def test_waiting(self) -> None:
        asked = ["submit tools.call a", "reply tools.call a"]
        self.check("await asyncio.wait_for(tools.a(), 5)", "A", asked)
        self.check("await asyncio.wait_for(tools.a(), timeout=5)", "A", asked)
        self.check("await asyncio.shield(tools.a())", "A", asked)
        self.check(
            "d, p = await asyncio.wait({asyncio.create_task(c) for c in "
            "[tools.a.call_async(), tools.b.call_async()]})\nsorted(t.result() for t in d)",
            BOTH,
            TOGETHER,
        )

    def test_in_the_order_of_completion(self) -> None:
        for jobs in (
            "[tools.a(), tools.b()]",
            "{tools.a(), tools.b()}",
            "{getattr(tools, n)() for n in 'ab'}",
        ):
            self.port.log.clear()
            source = f"[await t for t in asyncio.as_completed({jobs})]"
            self.assertEqual(self.value_of(source), ["B", "A"])
            self.assertCountEqual(self.port.log, TOGETHER)  # submitted in no certain order
            self.assertEqual(self.port.log[2:], TOGETHER[2:])

    def test_a_timeout(self) -> None:
        error = self.error_of("await asyncio.wait_for(tools.a(), 1)")
        self.assertEqual(error["type"], "TimeoutError")
        self.assertEqual(self.port.now, 1.0)

    def test_loops_of_the_user(self) -> None:
        asked = ["submit tools.call a", "reply tools.call a"]
        self.check("asyncio.run(tools.a())  # await", "A", asked)
        self.check("# async\nasyncio.get_event_loop().run_until_complete(tools.a())", "A", asked)
        self.check("async def main(): return await tools.a()\nasyncio.run(main())", "A", asked)

    def test_functions_of_the_same_name(self) -> None:
        self.run_code("class Other:\n  def run(self, x): return x\nother = Other()")
        asked = ["call tools.call a", "reply tools.call a"]
        self.check("other.run(tools.a())  # await", "A", asked)

    def test_without_a_word_of_async_nothing_is_rewritten(self) -> None:
        self.check("[tools.a(), tools.b()]", BOTH, ONE_BY_ONE)


class Place3(RewritingTest):
    def test_names(self) -> None:
        for source in (
            "x = tools.a()\ny = tools.b()\nawait asyncio.gather(x, y)",
            "jobs = [tools.a(), tools.b()]\nawait asyncio.gather(*jobs)",
            "jobs = [getattr(tools, n)() for n in 'ab']\nawait asyncio.gather(*jobs)",
            "jobs: list = [tools.a(), tools.b()]\nawait asyncio.gather(*jobs)",
            "jobs = []\njobs.append(tools.a())\njobs.append(tools.b())\nawait asyncio.gather(*jobs)",
            "jobs = []\nfor n in 'ab':\n  jobs.append(getattr(tools, n)())\nawait asyncio.gather(*jobs)",
            "jobs = (getattr(tools, n)() for n in 'ab')\nawait asyncio.gather(*jobs)",
        ):
            self.check(source, BOTH, TOGETHER)
            body = source.replace("await", "return await").replace("\n", "\n  ")
            self.check(f"async def f():\n  {body}\nawait f()", BOTH, TOGETHER)

    def test_one_awaited_name(self) -> None:
        self.check(
            "x = tools.a()\nawait tools.b()\nawait x",
            "A",
            [
                "submit tools.call b",
                "reply tools.call b",
                "submit tools.call a",
                "reply tools.call a",
            ],
        )

    def test_any_other_use_makes_the_calls_block(self) -> None:
        for use in (
            "print(jobs)",
            "len(jobs)",
            "jobs += []",
            "[j for j in jobs]",
            "def g(): return jobs",
            "other = jobs",
            "jobs[0]",
            "del jobs[:0]",
            "f'{jobs}'",
        ):
            source = f"jobs = [tools.a(), tools.b()]\n{use}\n[await j for j in jobs]"
            self.check(source, BOTH, ONE_BY_ONE)

    def test_names_of_an_outer_scope(self) -> None:
        source = """
async def f():
    global kept
    kept = tools.a()
    return await kept
first = await f()
[first, kept]"""
        self.check(source, ["A", "A"], ["call tools.call a", "reply tools.call a"])

    def test_a_result_under_the_same_name(self) -> None:
        source = "x = tools.a()\nx = await x\nx"
        self.check(source, "A", ["call tools.call a", "reply tools.call a"])

    def test_functions_are_scopes_of_their_own(self) -> None:
        source = """
def blocking():
    x = tools.b()
    return x
async def f():
    x = tools.a()
    return await x
[await f(), blocking()]"""
        log = [
            "submit tools.call a",
            "reply tools.call a",
            "call tools.call b",
            "reply tools.call b",
        ]
        self.check(source, ["A", "B"], log)


class AwaitedValues(RewritingTest):
    def test_awaiting_a_value_gives_the_value(self) -> None:
        self.run_code("x = tools.a()\nd = {'k': tools.b()}\nclass C: pass\nc = C()\nc.v = None")
        for source, value in {
            "await x": "A",
            "[await x, await x]": ["A", "A"],
            "await d['k']": "B",
            "await c.v": None,
            "await (1 if x else 2)": 1,
            "[await v for v in [1, 2]]": [1, 2],
        }.items():
            self.check(source, value, [])

    def test_awaitables_are_still_awaited(self) -> None:
        source = "async def f(): return 5\nc = f()\ncs = [f()]\n[await c, await cs[0]]"
        self.check(source, [5, 5], [])

    def test_explicit_twins(self) -> None:
        self.check("tools.a.call_sync()", "A", ["call tools.call a", "reply tools.call a"])
        source = "x = tools.a.call_async()\nprint(type(x).__name__)\nawait x"
        self.check(source, "A", ["submit tools.call a", "reply tools.call a"])
        self.assertEqual(self.port.stdout, "coroutine\n")
        self.check("await tools.a.call_async()", "A", ["submit tools.call a", "reply tools.call a"])


class Work(unittest.TestCase):
    """Rewriting takes time and stack in proportion to the source."""

    def rewritten_in(self, source: str) -> float:
        tree = ast.parse(source)
        start = time.perf_counter()
        rewrite(tree)
        elapsed = time.perf_counter() - start
        compile(tree, "rewritten", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return elapsed

    def test_many_names(self) -> None:
        self.assertLess(
            self.rewritten_in("".join(f"x{i} = f()\nawait x{i}\n" for i in range(4000))), 3
        )

    def test_long_expressions(self) -> None:
        for source in (
            "x = " + " + ".join("a" * 900) + "\nawait x",
            "await (" + "1 if a else " * 80 + "f())",
            "await " + "x" + ".y" * 500,
            "await (" + " + ".join("a" * 900) + ")",
            "x = [" + "f(), " * 20_000 + "]\nawait gather(*x)",
        ):
            self.assertLess(self.rewritten_in(source), 3)

    def test_positions_stay(self) -> None:
        tree = ast.parse("x = 1\nawait (\n  f)(1)\nawait   y")
        rewrite(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.expr):
                self.assertGreaterEqual(node.lineno, 1)
                self.assertIsNotNone(node.end_lineno)


if __name__ == "__main__":
    unittest.main()
