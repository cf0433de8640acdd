# host = "workshop"
# about = "Errors of the host name no path, address or variable of it."
# expect = "value:[]"
folder = tools.places()["folder"]
told = []
for use in (
    lambda: tools.show.get(url="-x"), lambda: tools.nothing(), lambda: tools.show(urk="x"), lambda: tools.api.item(id=".."), lambda: tools.api.away(to="http://127.0.0.1:1/"),
    lambda: artifacts.load("not there"), lambda: artifacts.save("../x", 1), lambda: artifacts.save("a/" * 50, 1), lambda: artifacts.load("a\0"),
    lambda: workflows.create("x", "nothing"), lambda: workflows.nothing(), lambda: workflows.get("../x"), lambda: deps.add("../x"), lambda: deps.remove("nothing"),
    lambda: tools._host.call("tools", "nothing", {}), lambda: tools._host.call("artifacts", "load", {"name": 1}),
):
    try:
        use()
    except Exception as error:
        text = repr(error) + str(getattr(error, "__cause__", "")) + str(vars(error))
        for word in (folder, "/tmp/", "/root/", "/home/", ".rs:", "panicked", "target/debug", "PCM_ESCAPES", "base/tools"):
            if word in text:
                told.append([word, text[:300]])
told
