# about = "A list of all combinations runs out of memory or of time."
# expect = ["error:MemoryError", "kind:timeout"]
# limits.memory_bytes = 67_108_864
import itertools

list(itertools.product("ab", repeat=60))
