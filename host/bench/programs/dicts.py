"""Dicts and sets: hashing, growing, looking up."""

import random

random.seed(3)
keys = [f"key-{random.randrange(16_000)}" for _ in range(60_000)]
counts: dict[str, int] = {}
for key in keys:
    counts[key] = counts.get(key, 0) + 1
groups: dict[int, list[str]] = {}
for key, count in counts.items():
    groups.setdefault(count, []).append(key)
numbers = {number * 7: number for number in range(80_000)}
hits = sum(1 for number in range(160_000) if number in numbers)
seen = set(keys) | {key.upper() for key in keys}
merged = {**counts, **{key: -1 for key in seen}}
print(len(counts), len(groups), hits, len(seen), len(merged), sum(merged.values()))
