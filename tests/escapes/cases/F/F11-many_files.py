# about = "Many files together cannot be larger than the quota either."
# expect = ["error:OSError", "error:MemoryError"]
# host_mib = 100
# limits.vfs_bytes = 20_000_000
for number in range(1000):
    with open(f"/tmp/{number}", "wb") as file:
        file.write(b"x" * 10**5)
