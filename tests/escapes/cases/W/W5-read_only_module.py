# about = "A file of the standard library cannot be opened for writing."
# expect = ["error:FileNotFoundError", "error:PermissionError", "error:OSError"]
import os

os.open("/std/os.py", os.O_RDWR)
