# about = "Functions a hundred thousand deep are an error."
# expect = ["error:MemoryError", "error:RecursionError", "error:SyntaxError"]
eval("lambda: " * 10**5 + "1")
