"""A bare client of the Jupyter protocol with a kernel of IPython: what the subprocess backend is beside."""

import ast
import re
import sys
from importlib.metadata import version
from typing import Any

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


class Jupyter(Peer):
    name = "jupyter_client"
    version = version("jupyter_client")
    notes = {"data-out": "as text/plain"}
    most_sessions = 10
    # IPython shortens what it shows of a long text, so it is printed.
    gives = f"print('x' * {BYTES})"
    has_programs = True

    def open(self) -> tuple[KernelManager, BlockingKernelClient]:
        manager = KernelManager(transport="ipc")
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        return manager, client

    def close(self, session: tuple[KernelManager, BlockingKernelClient]) -> None:
        manager, client = session
        client.stop_channels()
        manager.shutdown_kernel(now=True)

    def run(self, session: tuple[KernelManager, BlockingKernelClient], code: str) -> tuple[Any, str]:
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

    def reset(self, session: tuple[KernelManager, BlockingKernelClient]) -> None:
        manager, client = session
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=PATIENCE)

    def process(self) -> dict[str, Any]:
        return {"argv": [sys.executable, "-I", "-c", START], "input": "", "expect": "2"}


if __name__ == "__main__":
    serve(Jupyter())
