# about = "A text as long as the limit does not fit."
# expect = "error:MemoryError"
# limits.memory_bytes = 67_108_864
" " * (64 * 2**20 + 1000)
