"""Twice as much."""


def run(n: int) -> int:
    return 2 * n
