# about = "A file is not made a petabyte long by saying so."
# expect = "value:[]"
# host_mib = 64
import os

long = []
descriptor = os.open("/work/long", os.O_RDWR | os.O_CREAT)
for size in (1024 * 2**40, 2**62, 2**63 - 1):
    for use in (lambda: os.ftruncate(descriptor, size), lambda: os.truncate("/work/long", size)):
        try:
            use()
        except (OSError, OverflowError):
            continue
        long.append(os.stat("/work/long").st_size)
long
