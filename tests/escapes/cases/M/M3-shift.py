# about = "A number that is shifted beyond the address space."
# expect = ["error:MemoryError", "error:OverflowError"]
1 << 10**11
