# about = "Calls that outlive the deadline are given up together."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import asyncio

await asyncio.gather(*(tools.slow(ms=60_000) for _ in range(100)))
