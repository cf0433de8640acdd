def read():
    yield from (f"line {n} {'x' * (n % 3)}" for n in range(9))

def fields(lines):
    for line in lines:
        yield line.split()

def chosen(rows):
    return (row for row in rows if len(row) == 3)

list(chosen(fields(read())))
