# host = "workshop"
# about = "What a session stores is bounded, in one piece and in many."
# expect = "value:true"
# host_mib = 400
# limits.timeout_ms = 30000
refused = 0
for size in (300 * 2**20, 2**28 + 1):
    try:
        artifacts.save("large", bytes(size))
    except (ArtifactError, MemoryError, Exception):
        refused += 1
try:
    artifacts.save("described", "x", description="d" * 10**6)
except (ArtifactError, Exception):
    refused += 1
try:
    artifacts.save("meta", "x", metadata={"m": "d" * 10**6})
except (ArtifactError, Exception):
    refused += 1
refused == 4
