# host = "workshop"
# policy = true
# about = "Nothing that hangs on the objects of the guest is a function of the host."
# expect = "value:[]"
found = []
seen = set()
todo = [tools, workflows, artifacts, deps, tools.vault.open, tools.math.add]
while todo and len(seen) < 5000:
    thing = todo.pop()
    if id(thing) in seen:
        continue
    seen.add(id(thing))
    for name in ("__self__", "__func__", "__globals__", "__wrapped__", "__closure__", "_host", "_port", "_loops"):
        try:
            value = object.__getattribute__(thing, name)
        except Exception:
            continue
        if isinstance(value, dict):
            todo += [entry for entry in value.values() if callable(entry)][:50]
        elif isinstance(value, tuple):
            todo += [cell.cell_contents for cell in value if hasattr(cell, "cell_contents")]
        else:
            todo.append(value)
    if "canary-" in repr(thing):
        found.append(repr(thing)[:100])
found
