# about = "A field of the percent operator that no text can hold."
# expect = ["error:ValueError", "error:MemoryError", "error:OverflowError"]
"%*d" % (10**10, 1)
