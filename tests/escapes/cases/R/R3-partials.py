# about = "A chain of a hundred thousand partial functions."
# expect = ["error:RecursionError", "ok"]
# session = ["kept", "reset"]
import functools

chain = functools.partial(int)
for _ in range(10**5):
    chain = functools.partial(print if False else chain.__call__)
chain()
