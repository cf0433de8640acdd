# about = "Memory cannot be taken away below a view."
# expect = "error:BufferError"
block = bytearray(10**6)
view = memoryview(block)
block.clear()
