"""The kernel: IPython's, with runs of `pcm_guest`."""

from __future__ import annotations

import base64
import logging
import os
import signal
import socket
import sys
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from pcm_guest import Guest
from pcm_guest.loop import OutsideOfLoop

from pcm_kernel.loop import KernelLoop
from pcm_kernel.port import SocketPort


class PcmKernel(IPythonKernel):  # type: ignore[misc]
    """Runs of the host are the guest's; those of other clients are IPython's own."""

    guest: Guest
    port: SocketPort

    def start(self) -> None:
        super().start()
        # Not before the kernel's own loop runs: it would take the guest's.
        self.io_loop.add_callback(self._adopt)

    def _adopt(self) -> None:
        """Makes the guest, which takes calls and output to the host."""
        self.guest = Guest(self.port, KernelLoop)
        self.port.guard = self.guest.interrupts
        self.guest.install()
        self.guest.afterwards.append(lambda: self.shell.events.trigger("post_execute"))
        # What libraries show by way of IPython is shown as `display` shows it.
        publisher = self.shell.display_pub
        publisher.publish = lambda data, *_, **_options: self.guest.display.show(data)
        publisher.clear_output = lambda *_, **_options: None
        self.port.hello()

    def pre_handler_hook(self) -> None:
        """Interrupts are the guest's matter, from the beginning of its runs to their end."""

    def post_handler_hook(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def do_execute(self, code: str, *args: Any, cell_meta: Any = None, **options: Any) -> Any:
        run = cell_meta.get("pcm") if isinstance(cell_meta, dict) else None
        if run is None:
            return await super().do_execute(code, *args, cell_meta=cell_meta, **options)
        source = base64.b64decode(run["source"]) if "source" in run else code.encode()
        self.guest.interrupts.begin()
        self.port.begin(run["number"], run["output_bytes"], run["frame_bytes"])
        with OutsideOfLoop():
            outcome = self.guest.run(run["options"].encode(), source)
        self.port.end(outcome)
        self.guest.restore_streams()
        return {
            "status": "ok",
            "execution_count": self.execution_count,
            "payload": [],
            "user_expressions": {},
        }


def main(connection_file: str, host: socket.socket) -> None:
    """Becomes the kernel of a connection file."""
    app = IPKernelApp.instance(
        kernel_class=PcmKernel,
        connection_file=connection_file,
        capture_fd_output=False,
        log_level=logging.CRITICAL,
    )
    app.initialize([])
    sys.path.insert(0, os.environ.pop("PCM_PACKAGES"))
    sys.path.append(os.getcwd())
    port = SocketPort(host)
    port.install()
    app.kernel.port = port
    app.start()
