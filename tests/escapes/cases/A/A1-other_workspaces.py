# host = "workshop"
# about = "A workspace sees nothing of another one, whatever names it tries."
# workspaces = true
# expect = "value:[]"
artifacts.save("mine", "canary of the first workspace")
workflows.create("mine", "async def run():\n    return 'canary of the first workspace'\n")
# ---- next session
found = []
for name in ("mine", "../program1/artifacts/mine", "../../program1/artifacts/mine", "program1/mine", "../../artifacts/mine", "workspaces/program1/artifacts/mine"):
    for use in (lambda: artifacts.load(name), lambda: artifacts.get(name), lambda: artifacts.exists(name) or None, lambda: workflows.get(name), lambda: workflows.invoke(name)):
        try:
            found += [str(answer) for answer in [use()] if answer]
        except Exception:
            pass
found + [str(entry) for entry in artifacts.list()] + [str(entry) for entry in workflows.list()] + [str(entry) for entry in workflows.search("mine")]
