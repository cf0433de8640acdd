import asyncio

async def main():
    log = []
    async def sleeper():
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            log.append("finally")
    task = asyncio.create_task(sleeper())
    await asyncio.sleep(0)
    task.cancel()
    result = await asyncio.gather(task, return_exceptions=True)
    return log, type(result[0]).__name__

asyncio.run(main())
