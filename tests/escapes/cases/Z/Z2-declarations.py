# host = "workshop"
# about = "A declaration of a tool that would run something, or grow without end, is left out and takes no other with it."
# expect = 'value:["api","show","words"]'
names = {tool.name.split(".")[0] for tool in tools.list()}
sorted(names & {"api", "show", "words", "broken"})
