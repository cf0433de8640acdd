# about = "copy.deepcopy of a list a million deep is an error."
# expect = ["error:RecursionError", "error:MemoryError", "error:SystemError"]
# session = ["kept", "reset"]
import copy

deep = []
for _ in range(10**6):
    deep = [deep]
copy.deepcopy(deep)
