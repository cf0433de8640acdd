# host = "workshop"
# about = "A source is stored and never run on the host, whatever stands at its top."
# expect = "value:[]"
taken = []
sources = {
    "no_run": "x = 1\n",
    "plain": "def run():\n    return 1\n",
    "broken": "async def run(:\n",
    "deep": "async def run():\n    return " + "(" * 5000 + ")" * 5000 + "\n",
    "minus": "async def run():\n    return " + "-" * 10**5 + "1\n",
    "long": "async def run():\n    return '" + "x" * (2 * 2**20) + "'\n",
    "zero": "async def run():\n    return 1\0\n",
    "blocks": "async def run():\n" + "".join(" " * n + "if 1:\n" for n in range(1, 300)) + " " * 300 + "pass\n",
}
for name, source in sources.items():
    try:
        workflows.create(name, source)
        taken.append(name)
    except WorkflowError:
        pass
workflows.create("evil", f"open({tools.places()['folder'] + '/base/tools/evil.yaml'!r}, 'w').write('x')\nasync def run():\n    return 1\n")
workflows.list()
workflows.search("evil")
taken
