# host = "workshop"
# about = "Nor is an argument of a tool, or what a rich result says it is."
# expect = "value:2"
folder = tools.places()["folder"]
pickle = f"cposix\nsystem\n(S'touch {folder}/unpickled'\ntR.".encode()


class Rich:
    def _repr_mimebundle_(self, **kwargs):
        return {"application/x-python-pickle": pickle.decode(), "text/plain": "x"}


done = 0
for call in (lambda: tools.show.get(url=pickle), lambda: tools.words.say(text=pickle.decode())):
    try:
        call()
    except ToolError:
        pass
    done += 1
Rich()
done
