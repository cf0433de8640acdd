"""`docker run` for a process, `docker exec` for a run: what everybody has who has an engine."""

import subprocess
import sys
from typing import Any, ClassVar

from driver import Peer, expect, serve


class Docker(Peer):
    name = "docker"
    notes: ClassVar[dict[str, str]] = {
        "fresh-session": "a container, with `docker exec` in it",
        "trivial-run": "`docker exec`; nothing lasts from run to run",
        "agent-run": "`docker exec` with all blocks up to this one, ten times",
    }
    trivial = "print(1 + 1)"

    def __init__(self, images: list[str]) -> None:
        told = docker("version", "--format", "{{.Server.Version}}")
        here = docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        found = [image for image in images if image in here]
        if not found:
            raise SystemExit(f"none of these images is here: {', '.join(images)}")
        self.image = found[0]
        self.blocks: dict[str, list[str]] = {}
        self.version = f"{told.strip()}, {self.image}"

    def open(self) -> str:
        entry = ("--entrypoint", "sleep", self.image, "3600")
        container = docker("run", "--detach", "--rm", "--network", "none", *entry).strip()
        self.blocks[container] = []
        return container

    def close(self, session: str) -> None:
        docker("kill", session)
        del self.blocks[session]

    def run(self, session: str, code: str) -> tuple[Any, str]:
        before = self.blocks[session]
        printed = docker("exec", session, "python3", "-I", "-c", "\n".join([*before, code]))
        if code == self.trivial:
            return int(printed), ""
        before.append(code)
        return None, printed

    def process(self) -> dict[str, Any]:
        entry = ["--entrypoint", "python3", self.image, "-I", "-c", self.trivial]
        command = ["docker", "run", "--rm", "--network", "none", *entry]
        return {"argv": command, "input": "", "expect": "2"}

    def scenarios(self) -> list[str]:
        return ["process-start", "fresh-session", "trivial-run", "agent-run"]


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[:500])
    return done.stdout


if __name__ == "__main__":
    peer = Docker(sys.argv[1:])
    session = peer.open()
    expect(peer.run(session, peer.trivial)[0], 2)
    peer.close(session)
    serve(peer)
