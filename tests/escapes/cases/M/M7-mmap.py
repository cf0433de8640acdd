# about = "There is no map of a hundred gigabytes."
# expect = ["error:ModuleNotFoundError", "error:OverflowError", "error:MemoryError", "error:OSError"]
import mmap

mmap.mmap(-1, 10**11)
