# about = "A hundred thousand generators in each other."
# expect = "error:RecursionError"
def nested(n):
    if n:
        yield from nested(n - 1)
    yield n


next(nested(10**5))
