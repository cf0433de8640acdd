# about = "Parts of a hundred megabytes that are joined."
# expect = ["error:MemoryError", "error:OverflowError"]
b"".join([b"x" * 10**8] * 10**4)
