def generator():
    yield 1
    raise StopIteration("inside")

list(generator())
