import asyncio

async def main():
    queue, seen = asyncio.Queue(1), []
    async def produce():
        for n in range(4):
            await queue.put(n)
        await queue.put(None)
    task = asyncio.create_task(produce())
    while (n := await queue.get()) is not None:
        seen.append(n)
    await task
    return seen

asyncio.run(main())
