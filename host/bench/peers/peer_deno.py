"""An external Deno with Pyodide in a worker, spoken to by lines of JSON: `deno/main.ts`.

The host of it is this driver: what its users have, in whatever language, has the same pipe.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from driver import BYTES, CALLS, Peer, serve

ECHO = "call_tool('echo', {'a': i, 'text': 'hi'})"
ECHO_AWAITED = "call_tool_async('echo', {'a': i, 'text': 'hi'})"


class Deno(Peer):
    name = "external Deno"
    notes: ClassVar[dict[str, str]] = {
        "fresh-session": "a process of its own, as there is one session in each",
        "agent-run": "the process is started in it",
    }
    holds_many = False
    calls = f"for i in range({CALLS}): last = tools.{ECHO}['a']\nlast"
    gathered = (
        "import asyncio\n"
        f"all = await asyncio.gather(*[tools.{ECHO_AWAITED} for i in range({CALLS})])\n"
        "len(all)"
    )
    takes = "len(tools.call_tool('blob', {}))"
    gives = f"'x' * {BYTES}"
    has_programs = True

    def __init__(self, folder: Path) -> None:
        # Deno compares the paths that it grants as they really are.
        self.folder = folder.resolve()
        self.blob = "x" * BYTES
        self.cache = tempfile.mkdtemp(prefix="pcm-bench-deno-")
        self.deno = next(self.folder.glob("node_modules/@deno/*/deno"))
        told = subprocess.run([self.deno, "--version"], capture_output=True, text=True, check=True)
        self.version = told.stdout.split("\n")[0].split(" ")[1]

    def command(self) -> list[str]:
        flags = "run --quiet --no-check --no-prompt --cached-only --deny-net --deny-env --deny-run"
        reads = f"--allow-read={self.folder}"
        return [str(self.deno), *flags.split(" "), reads, str(self.folder / "main.ts")]

    def environment(self) -> dict[str, str]:
        return {"DENO_DIR": self.cache, "DENO_NO_UPDATE_CHECK": "1"}

    def open(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        environment = {**os.environ, **self.environment()}
        process = subprocess.Popen(
            self.command(), stdin=pipe, stdout=pipe, text=True, env=environment
        )
        self.ask(process, {"id": "0", "type": "init"})
        return process

    def close(self, session: subprocess.Popen[str]) -> None:
        session.kill()
        session.communicate()

    def ask(self, process: subprocess.Popen[str], request: dict[str, Any]) -> dict[str, Any]:
        """Makes a request, and answers calls until its reply comes."""
        send(process, request)
        assert process.stdout
        for line in process.stdout:
            reply: dict[str, Any] = json.loads(line)
            if reply["type"] == "rpc_request":
                call = json.loads(reply["args_json"])
                result = self.blob if call["name"] == "blob" else call["args"]
                answer = {"id": reply["id"], "type": "rpc_response", "ok": True, "result": result}
                send(process, answer)
            elif reply["type"] == "error" or reply.get("error"):
                raise RuntimeError(reply.get("message") or reply["error"])
            else:
                return reply
        raise RuntimeError("the peer ended")

    def run(self, session: subprocess.Popen[str], code: str) -> tuple[Any, str]:
        reply = self.ask(session, {"id": "1", "type": "exec", "code": code})
        return reply["value"], reply["stdout"]

    def reset(self, session: subprocess.Popen[str]) -> None:
        self.ask(session, {"id": "2", "type": "reset"})

    def process(self) -> dict[str, Any]:
        lines = [{"id": "0", "type": "init"}, {"id": "1", "type": "exec", "code": "1 + 1"}]
        return {
            "argv": self.command(),
            "env": self.environment(),
            "input": "".join(json.dumps(line) + "\n" for line in lines),
            "expect": '"value":2',
        }


def send(process: subprocess.Popen[str], message: dict[str, Any]) -> None:
    assert process.stdin
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


if __name__ == "__main__":
    serve(Deno(Path(sys.argv[1])))
