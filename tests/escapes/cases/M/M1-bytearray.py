# about = "A bytearray of two gigabytes does not fit."
# expect = ["error:MemoryError", "error:OverflowError"]
bytearray(2 * 1024**3)
