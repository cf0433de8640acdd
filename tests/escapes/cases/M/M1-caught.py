# about = "Code that handles its MemoryError goes on."
# expect = "value:1000000"
try:
    bytes(10**9)
except MemoryError:
    pass
len(bytes(10**6))
