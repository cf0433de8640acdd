# host = "workshop"
# about = "A line break stays in its word, and a zero is refused."
# expect = "value:[true,true]"
answer = tools.show.get(url="a\n-o\n/tmp/x")
try:
    tools.show.get(url="a\0-o")
    refused = False
except ToolError:
    refused = True
["[a\n-o\n/tmp/x]" in answer, refused]
