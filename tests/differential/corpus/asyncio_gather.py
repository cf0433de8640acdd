import asyncio

async def step(n):
    await asyncio.sleep(0.2 * (5 - n))
    print("done", n)
    return n * n

async def main():
    return await asyncio.gather(*(step(n) for n in range(5)))

asyncio.run(main())
