# host = "workshop"
# mounts = true
# about = "A file of a mounted folder is not made longer than the quota."
# expect = "value:[]"
# limits.vfs_bytes = 1_000_000
import os

long = []
descriptor = os.open("/open/note.txt", os.O_RDWR)
for use in (
    lambda: os.ftruncate(descriptor, 2**40),
    lambda: os.truncate("/open/note.txt", 2**40),
    lambda: os.posix_fallocate(descriptor, 0, 2**40),
    lambda: os.pwrite(descriptor, b"x", 2**40),
):
    try:
        use()
        long.append(os.fstat(descriptor).st_size)
    except (OSError, AttributeError, NotImplementedError):
        pass
[size for size in long if size > 2_000_000]
