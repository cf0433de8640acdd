# about = "Ten thousand tasks that wait for each other are an error or are done."
# expect = ["error:RecursionError", "value:0"]
import asyncio


async def nested(n):
    return await asyncio.ensure_future(nested(n - 1)) if n else 0


await nested(10**4)
