# about = "A chain of small objects that fills the memory to the last byte."
# expect = "limit:memory"
# session = ["reset"]
# limits.memory_bytes = 67_108_864
hoard = None
while True:
    hoard = (hoard, None)
