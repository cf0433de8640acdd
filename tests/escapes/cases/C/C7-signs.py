# about = "A million signs are an error."
# expect = ["error:MemoryError", "error:RecursionError", "error:SyntaxError"]
import ast

ast.literal_eval("-" * 10**6 + "1")
