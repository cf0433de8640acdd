import asyncio

async def ticks(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)

async def main():
    return [i async for i in ticks(5) if i % 2], {i: i async for i in ticks(2)}

asyncio.run(main())
