# about = "A hundred thousand coroutines in each other."
# expect = "error:RecursionError"
async def nested(n):
    return await nested(n - 1) if n else 0


await nested(10**5)
