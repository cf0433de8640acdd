# about = "A future that nobody fulfils is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import asyncio

await asyncio.get_running_loop().create_future()
