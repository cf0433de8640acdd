"""A client of the MCP server: the official Python SDK, over standard input and output.

Its arguments are the command that starts the server. It says what it has seen, or raises.
"""

import asyncio
import os
import sys
from collections.abc import Sequence

from mcp import Client, MCPError, StdioServerParameters, types

SHOUT = "tools.shout.loud(text={!r})"
GREET = "async def run(name: str, times: int = 1):\n    return ' '.join(['hello', name] * times)\n"


def text(result: types.CallToolResult) -> str:
    block = result.content[0]
    assert isinstance(block, types.TextContent), block
    return block.text


class User:
    """Somebody who is asked, and hears what the server tells."""

    def __init__(self) -> None:
        self.answers: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.heard: list[str] = []
        self.steps: list[str] = []
        self.heard_first = asyncio.Event()

    async def ask(self, _context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        self.asked.append(params.message)
        return types.ElicitResult(action="accept", content=self.answers.pop(0))

    async def hear(self, params: types.LoggingMessageNotificationParams) -> None:
        self.heard.append(str(params.data))

    async def progress(self, _progress: float, _total: float | None, message: str | None) -> None:
        self.steps.append(message or "")
        self.heard_first.set()


async def talk(command: Sequence[str], mode: str) -> None:
    user = User()
    server = StdioServerParameters(command=command[0], args=list(command[1:]), env=dict(os.environ))
    async with Client(
        server,
        mode=mode,
        elicitation_callback=user.ask,
        logging_callback=user.hear,
        log_level="info" if mode == "auto" else None,
    ) as client:
        await lists(client)
        await runs(client, user)
        await asks(client, user)
        await cancels(client, user)
    sys.stdout.write(f"{mode}: everything is as it should be\n")


async def lists(client: Client) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {"run_code", "list_tools", "save_artifact", "interrupt"} <= tools.keys(), tools
    assert tools["run_code"].output_schema is not None
    found = await client.call_tool("search_tools", {"query": "shout"})
    assert "shout" in text(found), found
    greet = {"name": "greet", "source": GREET, "description": "Says hello"}
    await client.call_tool("create_workflow", greet)
    prompts = (await client.list_prompts()).prompts
    assert [prompt.name for prompt in prompts] == ["greet"], prompts
    prompt = await client.get_prompt("greet", {"name": "Ada", "times": "2"})
    content = prompt.messages[0].content
    assert isinstance(content, types.TextContent)
    code = content.text.split("```python\n")[1].split("\n```")[0]
    assert text(await client.call_tool("run_code", {"code": code})) == "hello Ada hello Ada"
    await client.call_tool("save_artifact", {"name": "note.txt", "data": "remember"})
    resources = {str(resource.uri) for resource in (await client.list_resources()).resources}
    assert resources == {"pcm://tools.py", "pcm://artifacts/note.txt"}, resources
    stubs = (await client.read_resource("pcm://tools.py")).contents[0]
    assert isinstance(stubs, types.TextResourceContents)
    assert "class shout:" in stubs.text, stubs


async def runs(client: Client, user: User) -> None:
    assert text(await client.call_tool("run_code", {"code": "x = 40"})) == "(no output)"
    assert text(await client.call_tool("run_code", {"code": "x + 2"})) == "42"
    failed = await client.call_tool("run_code", {"code": "1 / 0"})
    assert failed.is_error
    assert text(failed).endswith("ZeroDivisionError: division by zero"), failed
    code = "import time\nfor i in range(3):\n    print('step', i)\n    time.sleep(0.3)\ni"
    result = await client.call_tool("run_code", {"code": code}, progress_callback=user.progress)
    assert text(result) == "2\n\nStdout:\nstep 0\nstep 1\nstep 2\n", result
    assert result.structured_content is not None
    assert result.structured_content["is_ok"] is True
    steps = [step for step in user.steps if step.startswith("step")]
    assert len(steps) > 1, user.steps
    assert "".join(user.heard).endswith("step 0\nstep 1\nstep 2\n"), user.heard


async def asks(client: Client, user: User) -> None:
    user.answers.append({"decision": "approve"})
    result = await client.call_tool("run_code", {"code": SHOUT.format("one")})
    assert text(result).strip() == "one", result
    assert "tools.shout.loud" in user.asked[-1], user.asked
    assert '"one"' in user.asked[-1], user.asked
    user.answers.append({"decision": "reject", "reason": "not so loud"})
    call = SHOUT.format("two")
    code = f"try:\n    {call}\nexcept ToolError as error:\n    said = str(error)\nsaid"
    assert "not so loud" in text(await client.call_tool("run_code", {"code": code}))
    assert not user.answers


async def cancels(client: Client, user: User) -> None:
    user.heard_first.clear()
    code = "import time\nkept = 'kept'\nprint('now')\nwhile True:\n    time.sleep(0.05)"
    run = asyncio.create_task(
        client.call_tool("run_code", {"code": code}, progress_callback=user.progress)
    )
    await user.heard_first.wait()
    run.cancel()
    try:
        await run
    except (asyncio.CancelledError, MCPError):
        pass
    else:
        raise AssertionError("it was not cancelled")
    # The session lives, and nothing of the run goes on in it.
    assert text(await client.call_tool("run_code", {"code": "1 + 1"})) == "2"


async def main() -> None:
    for mode in ("legacy", "auto"):
        await asyncio.wait_for(talk(sys.argv[1:], mode), 120)


asyncio.run(main())
