# about = "Memory and disks of the machine are no files of the sandbox."
# also = ["container", "subprocess"]
# expect = "value:[]"
import os

found = []
for path in ("/dev/mem", "/dev/kmem", "/dev/port", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/kvm", "/dev/fuse", "/dev/tcp/127.0.0.1/80"):
    for flags in (os.O_RDONLY, os.O_RDWR):
        try:
            os.close(os.open(path, flags))
            found.append(path)
        except OSError:
            pass
found
