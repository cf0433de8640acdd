# about = "Strings with fields with strings with fields are an error."
# expect = ["error:SyntaxError", "error:MemoryError", "error:RecursionError"]
compile("f'{" * 1000 + "1" + "}'" * 1000, "x", "eval")
