# about = "A text that grows beyond the address space by replacement."
# expect = ["error:MemoryError", "error:OverflowError"]
("x" * 10**6).replace("x", "y" * 10**6)
