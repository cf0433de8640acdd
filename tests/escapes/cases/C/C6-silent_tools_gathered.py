# about = "Many tools that never answer are given up."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import asyncio

await asyncio.gather(*(tools.never() for _ in range(1000)))
