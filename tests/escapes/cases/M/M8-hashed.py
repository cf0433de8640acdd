# about = "The hash of a tuple a hundred thousand deep may end the interpreter, and nothing else."
# expect = ["kind:crashed", "error:RecursionError", "ok"]
# session = ["kept", "reset"]
deep = ()
for _ in range(10**5):
    deep = (deep,)
hash(deep)
