"""Stored coroutines: fetched from the host, run in the sandbox."""

from __future__ import annotations

from typing import ClassVar

from tests.fake_port import Reply, Request
from tests.session import SessionTest


class WorkflowTest(SessionTest):
    stored: ClassVar[dict[str, str]] = {
        "double": "async def run(n):\n    return n * 2",
        "named": "async def run(name):\n    return name",
        "counts": "seen = []\nasync def run():\n    seen.append(1)\n    return len(seen)",
        "both": "import asyncio\nasync def run():\n    return await asyncio.gather(tools.a(), tools.b())",
        "calls": "async def run(n):\n    return [workflows.double(n=n), await workflows.double(n=n + 1)]",
        "endless": "async def run():\n    return await workflows.endless()",
        "endless_sync": "async def run():\n    return workflows.endless_sync()",
        "peeks": "async def run():\n    return secret",
        "fails": "async def run():\n\n    raise RuntimeError('boom')",
        "catches": (
            "async def run():\n    try:\n        await tools.refused()\n"
            "    except ToolError as e:\n        return e.original_type"
        ),
        "whole": "async def run():\n    return [__name__, sorted(n for n in globals() if n[0] != '_')]",
        "no_run": "x = 1",
        "broken": "async def run(:",
        "leaves_a_task": (
            "import asyncio\nasync def run():\n    asyncio.create_task(tools.a())\n"
            "    await asyncio.sleep(0)\n    return 1"
        ),
        "uses_context": "async def run(v):\n    v.set('inside')\n    return v.get()",
    }

    def setUp(self) -> None:
        self.answer = self.give
        super().setUp()

    def give(self, request: Request) -> Reply:
        if request.name == "tools.call refused":
            return Reply("no", refused_as="Denied")
        if request.op != "get":
            return Reply(request.args.get("name"), delay=1.0)
        source = self.stored.get(request.args["name"])
        return Reply(None if source is None else {"name": request.args["name"], "source": source})


class Invoking(WorkflowTest):
    def test_all_spellings(self) -> None:
        for call in (
            "workflows.double(n=4)",
            "workflows.invoke('double', n=4)",
            "workflows.invoke(workflow_name='double', n=4)",
            "workflows.double.call_sync(n=4)",
        ):
            for source in (call, f"await {call}" if "sync" not in call else call):
                self.assertEqual(self.value_of(source), 8, source)
                self.assertEqual(
                    self.port.requests[-1], Request("workflows", "get", {"name": "double"})
                )
        self.assertEqual(self.value_of("await workflows.double.call_async(n=4)"), 8)

    def test_a_parameter_called_name(self) -> None:
        self.assertEqual(self.value_of("workflows.invoke('named', name='x')"), "x")
        self.assertEqual(self.value_of("workflows.named(name='x')"), "x")

    def test_the_source_is_fetched_and_executed_anew(self) -> None:
        self.assertEqual(self.value_of("[workflows.counts(), workflows.counts()]"), [1, 1])
        self.assertEqual(len(self.port.requests), 2)

    def test_in_a_plain_run_in_a_task_and_in_a_coroutine(self) -> None:
        self.run_code("import asyncio\nasync def f(): return workflows.double(n=1)")
        self.assertEqual(self.value_of("workflows.double(n=1)"), 2)
        self.assertEqual(self.value_of("await f()"), 2)
        source = "await asyncio.gather(f(), f(), workflows.double(n=2))"
        self.assertEqual(self.value_of(source), [2, 2, 4])
        self.assertEqual(self.value_of("asyncio.run(f())"), 2)

    def test_the_task_is_the_same_after_a_nested_one(self) -> None:
        source = """
import asyncio
async def f():
    before = asyncio.current_task(), asyncio.get_running_loop()
    workflows.double(n=1)
    return before == (asyncio.current_task(), asyncio.get_running_loop())
await f()"""
        self.assertEqual(self.value_of(source), True)

    def test_calls_inside_run_together(self) -> None:
        self.assertEqual(self.value_of("workflows.both()"), ["a", "b"])
        self.assertEqual(self.port.now, 1.0)

    def test_calls_of_other_workflows(self) -> None:
        self.assertEqual(self.value_of("workflows.calls(n=3)"), [6, 8])
        self.assertEqual(self.value_of("await workflows.calls(n=3)"), [6, 8])

    def test_at_the_same_time(self) -> None:
        source = "import asyncio\nawait asyncio.gather(*[workflows.double(n=i) for i in range(40)])"
        self.assertEqual(self.value_of(source), [i * 2 for i in range(40)])

    def test_the_depth_is_bounded(self) -> None:
        for call in (
            "workflows.endless()",
            "await workflows.endless()",
            "workflows.endless_sync()",
        ):
            error = self.error_of(call, recursion=10_000)
            self.assertEqual(error["type"], "WorkflowError", call)
            self.assertIn("more than 16 deep", error["message"])
            self.assertEqual(self.value_of("workflows.double(n=1)"), 2)

    def test_context_variables_of_the_caller_are_seen(self) -> None:
        self.run_code("import contextvars\nv = contextvars.ContextVar('v')\nv.set('outside')")
        self.assertEqual(self.value_of("workflows.uses_context(v=v)"), "inside")
        self.assertEqual(self.value_of("v.get()"), "outside")


class Scope(WorkflowTest):
    def test_variables_of_the_session_are_not_seen(self) -> None:
        self.run_code("secret = 5")
        self.assertEqual(self.error_of("workflows.peeks()")["type"], "NameError")

    def test_what_is_seen(self) -> None:
        name, found = self.value_of("workflows.whole()")
        self.assertEqual(name, "__workflow__")
        self.assertLessEqual({"tools", "workflows", "artifacts", "deps", "ToolError"}, set(found))

    def test_errors_can_be_caught(self) -> None:
        self.assertEqual(self.value_of("workflows.catches()"), "Denied")


class Failing(WorkflowTest):
    def test_unknown(self) -> None:
        for call in (
            "workflows.nothing()",
            "await workflows.nothing()",
            "workflows.invoke('nothing')",
        ):
            error = self.error_of(call)
            self.assertEqual(error["type"], "ValueError")
            self.assertEqual(error["message"], "Workflow not found: nothing")

    def test_without_run(self) -> None:
        error = self.error_of("workflows.no_run()")
        self.assertEqual(error["message"], "Workflow no_run has no `async def run(...)`")

    def test_broken(self) -> None:
        error = self.error_of("workflows.broken()")
        self.assertEqual((error["kind"], error["type"]), ("exception", "SyntaxError"))
        self.assertIn("<workflow broken>", error["traceback"])

    def test_the_traceback_shows_its_line(self) -> None:
        for call in ("workflows.fails()", "await workflows.fails()"):
            error = self.error_of(call)
            self.assertIn('File "<workflow fails>", line 3, in run\n', error["traceback"])
            self.assertIn("    raise RuntimeError('boom')\n", error["traceback"])
            self.assertNotIn("pcm_guest", error["traceback"])

    def test_a_wrong_argument(self) -> None:
        self.assertEqual(self.error_of("workflows.double(m=1)")["type"], "TypeError")

    def test_what_it_leaves_running_does_not_hurt_its_caller(self) -> None:
        source = "x = workflows.leaves_a_task()\n[x, await tools.b(), await tools.b()]"
        self.assertEqual(self.value_of(source), [1, "b", "b"])
        self.assertEqual(self.port.stderr, "")
