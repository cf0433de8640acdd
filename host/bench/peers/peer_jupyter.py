"""A bare client of the Jupyter protocol, with a kernel of IPython."""

import ast
import re
import sys
from importlib.metadata import version
from typing import Any, ClassVar

from driver import BYTES, Peer, serve
from jupyter_client import BlockingKernelClient, KernelManager

START = """
from jupyter_client import KernelManager
manager = KernelManager(transport="ipc")
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute_interactive("print(1 + 1)", timeout=60)
manager.shutdown_kernel(now=True)
"""
PATIENCE = 60
Kernel = tuple[KernelManager, BlockingKernelClient]


class Jupyter(Peer):
    name = "jupyter_client"
    version = version("jupyter_client")
    notes: ClassVar[dict[str, str]] = {"data-out": "as text/plain"}
    holds_many = False
    # IPython shortens what it shows of a long text, so it is printed.
    gives = f"print('x' * {BYTES})"
    has_programs = True

    def open(self) -> Kernel:
        manager = KernelManager(transport="ipc")
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        return manager, client

    def close(self, session: Kernel) -> None:
        manager, client = session
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    def run(self, session: Kernel, code: str) -> tuple[Any, str]:
        """Waits for the reply and for the kernel to be idle."""
        _, client = session
        request = client.execute(code)
        value, printed = None, []
        while True:
            message = client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != request:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                printed.append(content["text"])
            elif kind == "execute_result":
                value = content["data"]["text/plain"]
            elif kind == "error":
                raise RuntimeError(f"{content['ename']}: {content['evalue']}")
            elif kind == "status" and content["execution_state"] == "idle":
                break
        while client.get_shell_msg(timeout=PATIENCE)["parent_header"].get("msg_id") != request:
            pass
        text = "".join(printed)
        if code == self.gives:
            return text.rstrip("\n"), ""
        return (ast.literal_eval(value) if value and re.fullmatch(r"\d+", value) else value), text

    def reset(self, session: Kernel) -> None:
        manager, client = session
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=PATIENCE)

    def process(self) -> dict[str, Any]:
        return {"argv": [sys.executable, "-I", "-c", START], "input": "", "expect": "2"}


if __name__ == "__main__":
    serve(Jupyter())
