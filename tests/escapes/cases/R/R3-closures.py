# about = "A chain of a hundred thousand functions."
# expect = "error:RecursionError"
def wrapped(inner):
    return lambda: inner()


chain = lambda: 0
for _ in range(10**5):
    chain = wrapped(chain)
chain()
