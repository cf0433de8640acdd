# about = "An expression of a hundred thousand attributes is an error."
# expect = ["error:MemoryError", "error:RecursionError", "error:SyntaxError"]
compile("a" + ".a" * 10**5, "x", "eval")
