# host = "workshop"
# about = "No shell looks at a word: what means something to one arrives as it was written."
# expect = "value:[]"
changed = []
for word in ("$(id)", "`id`", ";id", "|id", "&& id", "> /tmp/x", "*", "/etc/*", "{a,b}", "~", "$HOME", "${PATH}", "!!", "a b", "\t", "'", '"', "\\", "%s", "@/etc/passwd", "\x1b[2J", "é", "\u202e"):
    answer = tools.show.get(url=word)
    if f"[{word}]" not in answer:
        changed.append([word, answer])
changed
