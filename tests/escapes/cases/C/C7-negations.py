# about = "A hundred thousand negations are an error."
# expect = ["error:MemoryError", "error:RecursionError", "error:SyntaxError"]
eval("not " * 10**5 + "1")
