import operator

def evaluate(expression, env):
    if isinstance(expression, str):
        return env[expression]
    if not isinstance(expression, list):
        return expression
    head, *rest = expression
    if head == "let":
        name, value, body = rest
        return evaluate(body, {**env, name: evaluate(value, env)})
    if head == "if":
        return evaluate(rest[1] if evaluate(rest[0], env) else rest[2], env)
    if head == "fn":
        return lambda *args: evaluate(rest[1], {**env, **dict(zip(rest[0], args))})
    return evaluate(head, env)(*[evaluate(item, env) for item in rest])

env = {"+": operator.add, "*": operator.mul, "<": operator.lt, "-": operator.sub}
y = ["let", "f", ["fn", ["g", "n"], ["if", ["<", "n", 2], 1, ["*", "n", ["g", "g", ["-", "n", 1]]]]], ["f", "f", 12]]
evaluate(y, env)
