# about = "Nor does byte code that was thrown together."
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 3000
import random
import types

random.seed(7)
code = (lambda a, b: a + b).__code__
for _ in range(200):
    words = bytes(random.randrange(256) for _ in range(40))
    try:
        types.FunctionType(code.replace(co_code=words, co_stacksize=4), {})(1, 2)
    except Exception:
        pass
