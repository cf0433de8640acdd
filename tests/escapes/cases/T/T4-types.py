# host = "workshop"
# about = "A type that was not declared is an error before anything is run."
# expect = "value:[]"
taken = []
for name, value in (("url", ["-o", "x"]), ("url", {"a": 1}), ("url", None), ("depth", "x"), ("depth", 1.5), ("depth", [1]), ("verbose", "yes"), ("verbose", 7), ("header", "one"), ("header", {"a": 1}), ("header", [["-o"]]), ("more", "text")):
    args = {"url": "http://x", name: value}
    try:
        taken.append([name, str(value), tools.show(**args)])
    except (ToolError, TypeError):
        pass
# What a text says may be taken for a number or a truth value; never a list for words.
[what for what in taken if what[0] not in ("verbose", "header", "more", "depth") or "-o" in what[2]]
