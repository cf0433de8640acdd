# about = "A value whose repr never ends is stopped with the run."
# also = ["subprocess"]
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 1000
class Value:
    def __repr__(self):
        while True:
            pass


Value()
