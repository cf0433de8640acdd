# about = "A value that takes for ever to show itself is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
class Endless:
    def __repr__(self):
        while True:
            pass


Endless()
