# host = "workshop"
# about = "What is no text where text is declared is refused, or is JSON of itself."
# expect = "value:[]"
out = []
for title in ({"$ne": None}, ["x"], 1, True, None, b"x", {"title": "x", "admin": True}):
    try:
        answer = tools.api.create(title=title)
    except ToolError:
        continue
    if "admin" in answer["body"] or "$ne" in answer["body"]:
        out.append([str(title), answer["body"]])
out
