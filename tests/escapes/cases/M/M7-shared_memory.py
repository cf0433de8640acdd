# about = "There is no memory that processes share."
# expect = ["error:ModuleNotFoundError", "error:ImportError", "error:OSError"]
from multiprocessing import shared_memory

block = shared_memory.SharedMemory(create=True, size=2**30 + 1)
block.buf[2**30] = 1
