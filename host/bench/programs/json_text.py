"""JSON both ways: C code that makes and walks many small objects."""

import json
import random

random.seed(1)
records = [
    {
        "id": number,
        "name": f"user {number}",
        "tags": [random.choice(("red", "green", "blue")) for _ in range(5)],
        "score": random.random(),
        "address": {"street": "Long Street \u00e9", "number": number % 100, "valid": None},
    }
    for number in range(3_000)
]
length = 0
for _ in range(9):
    text = json.dumps(records)
    length += len(text)
    records = json.loads(text)
print(length, records[7]["name"])
