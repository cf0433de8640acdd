# about = "A list of a thousand million items does not fit."
# expect = ["error:MemoryError", "error:OverflowError"]
[0] * 10**9
