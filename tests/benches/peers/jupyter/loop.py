"""A bare client of a kernel, beside which the benchmark `kernel` measures. Seconds, as JSON."""

import json
import sys
import time
from typing import Any

from jupyter_client import KernelManager


def run(client: Any, code: str) -> float:
    """Executes code, and waits for its reply and for the kernel to be idle."""
    begin = time.perf_counter()
    request = client.execute(code)
    replied = idle = False
    while not (replied and idle):
        if not idle:
            message = client.get_iopub_msg(timeout=60)
            idle = (
                message["parent_header"].get("msg_id") == request
                and message["content"].get("execution_state") == "idle"
            )
            continue
        replied = client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") == request
    return time.perf_counter() - begin


def main() -> None:
    """Arguments: how often to start, and how often to run."""
    starts, runs = int(sys.argv[1]), int(sys.argv[2])
    times: dict[str, list[float]] = {"start": [], "run": []}
    for number in range(starts):
        begin = time.perf_counter()
        manager = KernelManager(transport="ipc")
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        run(client, "1 + 1")
        times["start"].append(time.perf_counter() - begin)
        if number == starts - 1:
            times["run"] = [run(client, "1 + 1") for _ in range(runs)]
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    json.dump(times, sys.stdout)


main()
