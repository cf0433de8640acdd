# about = "What a process can see of itself is not there."
# expect = "value:[]"
import os

found = []
for path in (
    "/proc/self/environ",
    "/proc/self/mem",
    "/proc/self/maps",
    "/proc/self/cmdline",
    "/proc/self/cwd",
    "/proc/self/root/etc/passwd",
    "/proc/self/exe",
    "/proc/1/environ",
    "/proc/thread-self/environ",
    "/sys/kernel",
):
    try:
        os.stat(path)
        found.append(path)
    except OSError:
        pass
for folder in ("/proc/self/fd", "/proc/self/task", "/proc", "/dev/fd"):
    try:
        found += os.listdir(folder)
    except OSError:
        pass
found
