"""Twice as much."""


async def run(n: int) -> int:
    return 2 * n
