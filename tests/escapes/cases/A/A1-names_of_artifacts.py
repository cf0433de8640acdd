# host = "workshop"
# about = "An artifact has a name that leads nowhere else."
# also = ["subprocess"]
# expect = "value:[]"
folder = tools.places()["folder"]
taken = []
for name in (
    "../../etc/cron.d/x", "../x", "../tools/evil.yaml", "/abs", folder + "/x", "a/../../b", "a/./b", "..\\..\\x", "a\\b", "a\0b", "", ".", "..", "a//b", "a/", "/",
    "x" * 300, "a/" * 40 + "x", "x\n", "\x1b[2J", ".artifacts.json", ".artifacts.lock", "a/.artifacts.json", "__index__", None, 7, ["x"], "\x7f",
):
    for use in (lambda: artifacts.save(name, "evil"), lambda: artifacts.load(name)):
        try:
            use()
            taken.append(str(name)[:40])
        except (ArtifactError, TypeError):
            pass
taken
