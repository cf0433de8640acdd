# about = "No program of the host is started, by any of the ways to start one."
# expect = "value:[]"
import asyncio
import os
import subprocess

ran = []
for name, way in {
    "system": lambda: os.system("id") == 0,
    "popen": lambda: os.popen("id").read(),
    "run": lambda: subprocess.run(["id"], capture_output=True).stdout,
    "shell": lambda: subprocess.check_output("id", shell=True),
    "spawn": lambda: os.spawnv(os.P_WAIT, "/bin/sh", ["sh", "-c", "id"]) == 0,
    "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
}.items():
    try:
        if way():
            ran.append(name)
    except (OSError, AttributeError, NotImplementedError, subprocess.SubprocessError):
        pass
try:
    await asyncio.create_subprocess_exec("id")
    ran.append("asyncio")
except (OSError, AttributeError, NotImplementedError):
    pass
ran
