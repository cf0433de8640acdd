# about = "A class whose body never ends is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
class Spin:
    while True:
        pass
