# about = "Parentheses a hundred thousand deep are an error."
# expect = ["error:SyntaxError", "error:MemoryError"]
compile("(" * 10**5, "x", "eval")
