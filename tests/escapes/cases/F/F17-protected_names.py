# host = "workshop"
# mounts = true
# about = "In a folder that can be written, what programs of the host run by themselves cannot be."
# expect = "value:[]"
import os

written = []
for path in (
    ".git/hooks/pre-commit", ".git/config", ".gitmodules", ".gitconfig", ".bashrc", ".zshrc", ".profile", ".mcp.json",
    ".vscode/tasks.json", ".idea/x", ".claude/settings.json", ".cursor/mcp.json", ".envrc", ".npmrc", ".pypirc", ".ssh/config",
    ".husky/pre-commit", ".hg/hgrc", ".svn/x", "plain/.git/config", "plain/deep/.vscode/tasks.json",
):
    place = "/open/" + path
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
    except OSError:
        pass
    for mode in ("w", "a", "r+", "x"):
        try:
            open(place, mode).write("evil")
            written.append(path)
        except OSError:
            pass
written
