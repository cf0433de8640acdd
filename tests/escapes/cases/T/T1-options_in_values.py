# host = "workshop"
# about = "A value of a program's word does not become one of its options."
# expect = "value:[]"
taken = []
for url in ("-o/tmp/x", "-o", "--output=/tmp/x", "--", "-", "-x http://evil", "--config=/etc/passwd", "-K/etc/passwd", "-\u00a0o", "--header=x"):
    for call in (lambda: tools.show.get(url=url), lambda: tools.show(url=url), lambda: tools.show.get(url="x", more=[url]), lambda: tools.show.get(url="x", more=["y", url, "z"])):
        try:
            answer = call()
        except ToolError:
            continue
        taken.append([url, answer])
# A lone minus is a file name to most programs, and no option.
[what for what in taken if what[0] != "-"]
