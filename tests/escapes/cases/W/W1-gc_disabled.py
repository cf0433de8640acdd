# about = "A loop without garbage collection is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import gc

gc.disable()
gc.set_threshold(0)
while True:
    pass
