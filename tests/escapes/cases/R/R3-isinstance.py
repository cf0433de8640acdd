# about = "A tuple of types a hundred thousand deep."
# expect = ["error:RecursionError", "ok"]
types = int
for _ in range(10**5):
    types = (types,)
isinstance("a", types)
