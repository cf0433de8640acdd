# about = "A number with a thousand million digits behind the point."
# expect = ["error:ValueError", "error:MemoryError", "error:OverflowError"]
f"{1.5:.{2 * 10**9}f}"
