"""Sorting: by value, by key, of tuples and of texts; and a heap."""

import heapq
import random

random.seed(4)
numbers = [random.random() for _ in range(48_000)]
records = [(random.randrange(1_000), f"name {random.randrange(50_000)}") for _ in range(24_000)]
by_value = sorted(numbers)
by_key = sorted(numbers, key=lambda number: (number * 1_000) % 1)
by_tuple = sorted(records)
by_text = sorted(records, key=lambda record: record[1], reverse=True)
heap: list[float] = []
for number in numbers[:24_000]:
    heapq.heappush(heap, number)
smallest = [heapq.heappop(heap) for _ in range(12_000)]
print(by_value[7] == heap[0], by_key[0] < by_key[-1], by_tuple[5], by_text[5], smallest[9] < 1)
