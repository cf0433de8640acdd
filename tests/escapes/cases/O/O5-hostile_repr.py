# about = "A repr that raises, gives no text or a hundred megabytes is the session's own matter."
# expect = "any"
# host_mib = 200
class Value:
    def __init__(self, give):
        self.give = give

    def __repr__(self):
        return self.give()


class Text(str):
    def __len__(self):
        return -1

    def encode(self, *args):
        return b"\xff"

    def __str__(self):
        raise KeyboardInterrupt


values = [lambda: 3, lambda: 1 / 0, lambda: "x" * 10**8, lambda: Text("x"), lambda: (_ for _ in ()).throw(SystemExit)]
for give in values:
    try:
        repr(Value(give))
    except BaseException:
        pass
Value(values[3])
