# host = "workshop"
# policy = true
# about = "A tool that may be called does not do what only a denied one may."
# expect = "value:[]"
folder = tools.places()["folder"]
got = []
for path in (f"{folder}/secret.txt", f"{folder}/audit.jsonl", f"{folder}/policy.yaml", "data/../../audit.jsonl", "/run/docker.sock", "data/../../base/tools/show.yaml"):
    for call in (lambda: tools.vault.read(path=path), lambda: tools.show.get(url="@" + path), lambda: artifacts.load(path), lambda: artifacts.load("../../" + path)):
        try:
            answer = str(call())
        except (ToolError, ArtifactError):
            continue
        if "canary-" in answer or '"event"' in answer:
            got.append(path)
got
