# host = "workshop"
# about = "Braces, percent signs and names of variables in a value are expanded nowhere."
# expect = "value:[]"
changed = []
for word in ("{url}", "{more}", "{0.__class__}", "{0}", "%s", "%(url)s", "${PCM_ESCAPES_CANARY}", "$PCM_ESCAPES_CANARY", "$${x}", "{{url}}", "{folder}", "${HOME:-x}", "<%= 1 %>"):
    for answer in (tools.show.get(url=word), tools.words.say(text=word)):
        if f"[{word}]" not in answer:
            changed.append([word, answer])
    answer = tools.api.search(q=word)
    if "canary" in str(answer):
        changed.append([word, answer])
changed
