# about = "A hundred thousand generators that were made one by one."
# expect = ["error:RecursionError", "kind:crashed", "value:1"]
# session = ["kept", "reset"]
def wrapped(inner):
    yield from inner


chain = iter([1])
for _ in range(10**5):
    chain = wrapped(chain)
next(chain)
