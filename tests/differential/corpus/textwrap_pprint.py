import pprint, textwrap
data = {"name": "x" * 30, "items": [{"id": n, "value": "v" * n} for n in range(6)], "nested": {"a": {"b": {"c": [1] * 20}}}}
pprint.pprint(data, width=60, sort_dicts=False)
textwrap.wrap("The quick brown fox jumped over the lazy dog and kept running.", 20, initial_indent="* ", subsequent_indent="  ")
