# about = "A tuple that is repeated beyond the limit does not fit."
# expect = ["error:MemoryError", "error:OverflowError"]
((0,) * 10**6) * 10**6
