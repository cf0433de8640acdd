# host = "workshop"
# about = "What is required is not left out, and what there is not is not added."
# expect = "value:4"
refused = 0
for args in ({}, {"url": None}, {"more": ["x"]}, {"url": "x", "__class__": "y"}):
    try:
        tools.show(**args)
    except (ToolError, TypeError):
        refused += 1
refused
