# host = "workshop"
# about = "No argument adds a field, a second request or a part of a query to a request."
# expect = "value:[]"
out = []
for word in ("a&admin=1", "a=b", "a#b", "a b", "a+b", "a\r\nX-Evil: y", "a\nX-Evil: y", "a\r\n\r\nGET /admin HTTP/1.1", "\x00", "é\u2028"):
    try:
        answer = tools.api.search(q=word)
    except ToolError:
        continue
    line = answer["line"]
    if line.count("&") or line.count("=") != 1 or any("Evil" in field or "evil:" in field.lower() for field in answer["fields"]):
        out.append([word, answer])
out
