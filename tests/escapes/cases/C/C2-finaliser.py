# about = "A finaliser that never ends is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
class Endless:
    def __del__(self):
        while True:
            pass


Endless()
