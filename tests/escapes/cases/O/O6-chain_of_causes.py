# about = "A chain of a hundred thousand causes is told in short, and takes no stack."
# expect = ["error:ValueError", "error:RecursionError", "error:MemoryError"]
# session = ["kept", "reset"]
# host_mib = 100
error = ValueError(0)
for number in range(10**5):
    following = ValueError(number)
    following.__cause__ = error
    error = following
raise error
