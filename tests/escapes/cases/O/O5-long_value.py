# about = "A list of a million parts, or a text that long, is no value that the host builds."
# expect = ["ok", "error:MemoryError"]
# host_mib = 128
[list(range(10**6)), {number: str(number) for number in range(10**5)}]
