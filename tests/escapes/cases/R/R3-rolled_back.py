# about = "A chain of iterators that ends the interpreter leaves the session as it was, where that was asked for."
# backends = ["wasm"]
# expect = ["kind:crashed"]
# session = ["rolled_back"]
# rollback = true
import itertools

survivor = 0
chain = iter([1])
for _ in range(10**6):
    chain = itertools.chain(chain)
next(chain)
