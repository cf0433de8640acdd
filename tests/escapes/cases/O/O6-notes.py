# about = "A million notes are told in short."
# expect = ["error:ValueError", "error:MemoryError"]
# session = ["kept", "reset"]
# host_mib = 100
error = ValueError("a")
for number in range(10**6):
    error.add_note("note")
raise error
