# about = "Files that are open are bounded in number, and are given back."
# expect = "ok"
# host_mib = 64
import os

held = []
try:
    for _ in range(10**5):
        held.append(os.open("/work/x", os.O_RDWR | os.O_CREAT))
except OSError:
    pass
assert len(held) < 10**5
for descriptor in held:
    os.close(descriptor)
os.close(os.open("/work/x", os.O_RDWR))
