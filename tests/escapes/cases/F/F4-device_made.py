# about = "No device can be made."
# also = ["container", "subprocess"]
# expect = "value:[]"
import os
import stat

made = []
for name, kind, number in (("disk", stat.S_IFBLK, (8, 0)), ("memory", stat.S_IFCHR, (1, 1)), ("disk", stat.S_IFBLK, (254, 0))):
    try:
        os.mknod(name, kind | 0o600, os.makedev(*number))
        with open(name, "rb") as device:
            device.read(1)
        made.append(name)
    except (OSError, AttributeError):
        pass
made
