from contextlib import contextmanager, ExitStack

@contextmanager
def tag(name):
    print(f"<{name}>")
    try:
        yield name
    except ValueError as error:
        print(f"swallowed {error}")
    finally:
        print(f"</{name}>")

with ExitStack() as stack:
    names = [stack.enter_context(tag(name)) for name in "ab"]
    raise ValueError("inside")
names
