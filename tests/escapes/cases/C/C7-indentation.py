# about = "Blocks ten thousand deep are an error."
# expect = ["error:IndentationError", "error:SyntaxError", "error:MemoryError"]
compile("".join(" " * n + "if 1:\n" for n in range(10**3)), "x", "exec")
