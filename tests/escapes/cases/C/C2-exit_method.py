# about = "A context manager that swallows and goes on is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
class Stubborn:
    def __enter__(self):
        return self

    def __exit__(self, *what):
        while True:
            pass


while True:
    with Stubborn():
        pass
