# about = "Programs that a kernel starts are in its jail, and see what it sees."
# backends = ["subprocess", "container"]
# expect = "value:0"
import subprocess

path = tools.places()["file"]
seen = 0
for command in (["cat", path], ["sh", "-c", f"cat < {path}"], ["cp", path, "copy"], ["sh", "-c", "cat /proc/*/environ"]):
    try:
        done = subprocess.run(command, capture_output=True, timeout=10)
        seen += b"canary-" in done.stdout or (command[0] == "cp" and done.returncode == 0)
    except (OSError, subprocess.SubprocessError):
        pass
seen
