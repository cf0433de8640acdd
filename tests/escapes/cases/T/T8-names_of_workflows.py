# host = "workshop"
# about = "A workflow has a name that is none of a file, a module or an operation."
# expect = "value:[]"
made = []
for name in ("../../x", "../tools/x", "/tmp/x", "a/b", "a\\b", "x.py", "__init__", "_x", "import os", "con cat", "x\n", "", ".", "list", "create", "x" * 129, "\u043ename", "na\u200bme", "x\0", "CON.txt", "a-b", None, 7, "class"):
    try:
        workflows.create(name, "async def run():\n    return 1\n")
        made.append(name)
    except (WorkflowError, TypeError):
        pass
[name for name in made if name not in ("class",)]
