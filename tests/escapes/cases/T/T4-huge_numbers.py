# host = "workshop"
# about = "A number of four hundred digits is refused or stays one word."
# expect = "value:[]"
odd = []
for number in (10**400, -(10**400), 2**64, float("nan"), float("inf"), 1e308, -1):
    try:
        answer = tools.show(url="x", depth=number)
    except (ToolError, Exception):
        continue
    if f"[--depth]\n[{number}]" not in answer:
        odd.append([str(number)[:20], answer[:100]])
odd
