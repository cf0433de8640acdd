# about = "A chain of a million iterators may end the interpreter, and nothing else."
# expect = ["kind:crashed", "error:RecursionError"]
# session = ["kept", "reset"]
import itertools

chain = iter([1])
for _ in range(10**6):
    chain = itertools.chain(chain)
next(chain)
