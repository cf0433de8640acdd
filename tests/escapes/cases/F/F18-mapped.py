# about = "A file of the host is not mapped into memory."
# expect = ["error:FileNotFoundError", "error:ModuleNotFoundError", "error:PermissionError"]
import mmap
import os

mmap.mmap(os.open(tools.places()["file"], os.O_RDONLY), 0)[:]
