# about = "A text that is padded beyond the address space."
# expect = ["error:MemoryError", "error:OverflowError"]
"x".ljust(10**11)
