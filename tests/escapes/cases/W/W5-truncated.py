# about = "A file of the host cannot be truncated."
# expect = ["error:FileNotFoundError", "error:PermissionError", "error:OSError"]
import os

os.open("/etc/hostname", os.O_RDWR | os.O_TRUNC)
