# about = "Nor is it sent to another server, whichever argument names one."
# host = "workshop"
# expect = "value:0"
port = tools.places()["port"]
reached = 0
for place in (f"http://127.0.0.1:{port}/", f"//127.0.0.1:{port}/", f"http://localhost:{port}/x", f"https://127.0.0.1:{port}/"):
    for call in (
        lambda: tools.api.away(to=place),
        lambda: tools.api.away(to=place, base_url=place),
        lambda: tools.api.item(id=place),
        lambda: tools.api.item(id="1", headers={"Host": f"127.0.0.1:{port}"}),
        lambda: tools.api.item(id="1", proxy=place),
    ):
        try:
            answer = call()
        except ToolError:
            continue
        reached += place in str(answer) and "line" not in answer
reached
