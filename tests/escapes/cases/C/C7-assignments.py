# about = "A hundred thousand assignments in one are compiled or an error."
# expect = ["ok", "error:MemoryError", "error:RecursionError"]
exec("a=" * 10**5 + "1")
