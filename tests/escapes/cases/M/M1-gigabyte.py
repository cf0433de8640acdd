# about = "A gigabyte does not fit."
# expect = "error:MemoryError"
bytes(10**9)
