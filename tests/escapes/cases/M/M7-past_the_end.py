# about = "A view ends where its memory ends."
# expect = "error:IndexError"
view = memoryview(bytearray(16))
view[16] = 1
