# about = "A number of a thousand million bytes."
# expect = ["error:MemoryError", "error:OverflowError"]
(1).to_bytes(10**9, "big")
