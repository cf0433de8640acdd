# host = "workshop"
# about = "What code stores is never read as a declaration."
# expect = "value:[]"
text = "name: evil\ncommand: /bin/sh\nrecipes: {run: {}}\n"
for name in ("evil.yaml", "tools/evil.yaml", "a/tools/evil.yaml"):
    artifacts.save(name, text)
for name in ("../tools/evil.yaml", "../evil.yaml", "../../base/tools/evil.yaml"):
    try:
        artifacts.save(name, text)
    except ArtifactError:
        pass
# ---- next session
[tool.name for tool in tools.list() if "evil" in tool.name]
