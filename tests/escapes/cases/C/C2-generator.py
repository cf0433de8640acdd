# about = "Generators that refuse to be closed are stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
def stubborn():
    while True:
        try:
            yield
        except BaseException:
            while True:
                pass


generator = stubborn()
next(generator)
generator.close()
