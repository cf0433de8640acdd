# about = "The secret that the host sends with a tool's requests is not told to whoever calls it."
# host = "workshop"
# expect = "value:0"
import json

shown = 0
for answer in (
    tools.api.item(id="1"),
    tools.api.search(q="authorization"),
    tools.api.create(title="x", labels=["Authorization"]),
):
    shown += "canary-" in json.dumps(answer)
for entry in tools.list():
    shown += "canary-" in str(entry)
shown += "canary-" in str(tools.stubs())
shown
