# about = "A view cannot be made larger than what it shows."
# expect = ["error:TypeError", "error:ValueError"]
memoryview(bytearray(16)).cast("B", shape=[2**20, 2**20])
