# about = "A hundred sessions that use nine tenths of their memory each live beside each other."
# expect = "value:true"
# sessions = 100
# limits.memory_bytes = 50_331_648
# limits.timeout_ms = 60000
import gc

gc.disable()
hoard = []
try:
    while True:
        hoard.append(bytearray(2**16))
except MemoryError:
    del hoard[-len(hoard) // 10 :]
len(hoard) > 1
