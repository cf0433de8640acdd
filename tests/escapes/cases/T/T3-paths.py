# host = "workshop"
# about = "No argument leads to another endpoint of a server."
# expect = "value:[]"
out = []
for word in ("../admin", "..", ".", "a/b", "/admin", "%2e%2e", "%2e%2e%2fadmin", "..%2fadmin", "a\\..\\b", "?x=1", "#x", ";x=1", "@evil.example", "//evil.example/", "\t..", " ..", "a\r\nX: y", "\u2025", "..;/admin", ""):
    try:
        line = tools.api.item(id=word)["line"]
    except ToolError:
        continue
    path = line.split(" ")[1]
    if not path.startswith("/v1/items/") or path.count("/") != 3 or "?" in path or "#" in path or path.endswith("/.."):
        out.append([word, line])
out
