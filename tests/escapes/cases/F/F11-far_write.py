# about = "A byte far beyond the quota is refused, or costs nothing."
# expect = "value:1"
# host_mib = 64
refused = 0
with open("/work/far", "wb", buffering=0) as file:
    try:
        file.seek(2**40)
        file.write(b"x")
    except OSError:
        refused += 1
refused
