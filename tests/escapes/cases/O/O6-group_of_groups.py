# about = "Groups of exceptions, wide and deep, are told in short."
# expect = "any"
# session = ["kept", "reset"]
# host_mib = 100
error = ValueError("a")
for _ in range(500):
    error = ExceptionGroup("g", [error] * 3)
raise ExceptionGroup("wide", [error] + [ValueError(n) for n in range(10**5)])
