# about = "No descriptor leads to a folder of the host."
# expect = "value:0"
import os

path = tools.places()["file"]
reached = 0
for number in range(3, 256):
    for use in (
        lambda: os.open(path.lstrip("/"), os.O_RDONLY, dir_fd=number),
        lambda: os.listdir(number),
        lambda: os.fstat(number),
        lambda: os.read(number, 100),
    ):
        try:
            use()
            reached += 1
        except (OSError, NotImplementedError, TypeError):
            pass
reached
