# host = "workshop"
# about = "Words that are too long or too many are an error of the call."
# expect = "value:3"
refused = 0
for args in ({"url": "x" * 10**6}, {"url": "x", "more": ["y" * 1000] * 10**4}, {"url": "x", "more": ["y"] * 10**6}):
    try:
        tools.show.get(**args)
    except (ToolError, Exception):
        refused += 1
refused
