# about = "Bytes that are joined beyond the address space."
# expect = ["error:MemoryError", "error:OverflowError"]
b"".join([b"x" * 10**7] * 10**4)
