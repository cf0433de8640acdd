# about = "A function that says it needs no stack damages the sandbox's own memory at most."
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 3000
import types


def deep(a):
    return [a, [a, [a, [a, [a, [a, [a, [a, [a, a]]]]]]]]]


types.FunctionType(deep.__code__.replace(co_stacksize=0, co_nlocals=1), {})(1)
