# about = "Copies of megabytes, again and again, are stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
block = bytearray(50 * 10**6)
while True:
    block[:] = bytes(block)
