# about = "A list of three hundred thousand parts, with a mapping of thirty thousand, is no value that the host builds."
# expect = ["ok", "error:MemoryError"]
# host_mib = 128
[list(range(3 * 10**5)), {number: str(number) for number in range(3 * 10**4)}]
