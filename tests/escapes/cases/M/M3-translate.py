# about = "A text that grows beyond the memory by translation."
# expect = ["error:MemoryError", "error:OverflowError"]
# limits.memory_bytes = 67_108_864
("x" * 10**4).translate({ord("x"): "y" * 10**6})
