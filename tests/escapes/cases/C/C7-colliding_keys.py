# about = "A dict of keys with one hash is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
class Key:
    def __hash__(self):
        return 1

    def __eq__(self, other):
        return self is other


{Key(): n for n in range(10**6)}
