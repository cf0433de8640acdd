# about = "A sum of a million terms is an error, or its value."
# expect = ["value:1000000", "error:MemoryError", "error:RecursionError"]
eval("+".join(["1"] * 10**6))
