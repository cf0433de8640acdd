# host = "workshop"
# about = "Where a declaration lets words begin with a minus, they stand behind the end of the options."
# expect = "value:true"
words = tools.words.say(text="--output=/tmp/x").split("\n")
words[:2] == ["[--]", "[--output=/tmp/x]"]
