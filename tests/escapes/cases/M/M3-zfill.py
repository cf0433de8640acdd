# about = "A number that is padded beyond the memory."
# expect = ["error:MemoryError", "error:OverflowError"]
"1".zfill(10**9)
