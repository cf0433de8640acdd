# about = "Parentheses that are closed again are an error as well."
# expect = ["error:SyntaxError", "error:MemoryError", "error:RecursionError"]
compile("(" * 10**5 + ")" * 10**5, "x", "eval")
