# about = "Empty files are counted, and their number is bounded."
# expect = ["error:OSError", "error:MemoryError"]
# session = ["kept", "reset"]
# host_mib = 200
# limits.timeout_ms = 60000
for number in range(10**6):
    open(f"/tmp/{number}", "w").close()
