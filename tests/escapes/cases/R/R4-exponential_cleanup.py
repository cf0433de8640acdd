# about = "Cleaning up that doubles at every level is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
class Twice:
    def __init__(self, n):
        self.n = n

    def __enter__(self):
        return self

    def __exit__(self, *what):
        for _ in range(2):
            if self.n:
                with Twice(self.n - 1):
                    pass


with Twice(60):
    pass
