# about = "An exception that takes for ever to tell of itself is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
class Endless(Exception):
    def __str__(self):
        while True:
            pass


raise Endless
