# about = "Arguments that are deep, wide or refer to themselves do not take the host with them."
# also = ["in-process"]
# expect = "value:3"
# host_mib = 100
deep = []
for _ in range(10**5):
    deep = [deep]
wide = {str(number): number for number in range(10**5)}
itself = []
itself.append(itself)
refused = 0
for value in (deep, itself, {"a": deep}):
    try:
        tools.echo(text=value)
    except Exception:
        refused += 1
try:
    tools.echo(text=wide)
except Exception:
    pass
# It is taken apart here: freeing it at once is a matter of the interpreter.
while deep:
    deep = deep.pop()
refused
