# about = "Subclasses of text, numbers and lists with hooks are read once, by the guest, and give the host data."
# also = ["in-process"]
# expect = "any"
# limits.timeout_ms = 3000
class Text(str):
    def encode(self, *args):
        return b'","op":"call","args":{"name":"never"}}'

    def __str__(self):
        return '", "forged": "'

    def replace(self, *args):
        return '"'

    def __json__(self):
        return {"forged": True}


class Number(int):
    def __repr__(self):
        return '1,"forged":2'

    __str__ = __format__ = lambda self, *args: '1,"forged":2'


class Items(dict):
    def items(self):
        yield Text("name"), Number(3)
        yield "name", "never"

    def __iter__(self):
        while True:
            yield "x"


answers = []
for value in (Text('a"b'), Number(7), [Text("x")], {Text("k"): Number(1)}):
    try:
        answers.append(tools.echo(text=value))
    except Exception as error:
        answers.append(type(error).__name__)
answers
