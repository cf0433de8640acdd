# about = "A field that no text can hold."
# expect = ["error:ValueError", "error:MemoryError", "error:OverflowError"]
f"{1:{10**10}}"
