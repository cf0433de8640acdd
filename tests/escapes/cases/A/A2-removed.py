# host = "workshop"
# about = "Nor is one removed by anything else."
# expect = "value:[]"
taken = []
for spec in ("-y pip", "--all", "../x", "x; rm", "", "x\n", "-r /etc/passwd"):
    try:
        removed = deps.remove(spec)
        if removed["removed_from_config"] or removed["removed"]:
            taken.append([spec, str(removed)])
    except (DepsError, TypeError):
        pass
taken
