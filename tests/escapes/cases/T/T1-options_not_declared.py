# host = "workshop"
# about = "What a recipe or a schema does not name cannot be set."
# expect = "value:[]"
set_ = []
for name in ("config", "o", "H", "v", "-o", "--output", "output=/tmp/x --depth", "output ", "Output", "OUTPUT", "", "command", "cwd", "env", "timeout", "preset", "schema"):
    try:
        set_.append([name, tools.show.get(**{"url": "x", name: "/tmp/x"})])
    except (ToolError, TypeError):
        pass
set_
