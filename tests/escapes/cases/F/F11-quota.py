# about = "A file cannot be larger than the quota of the session's files."
# expect = ["error:OSError", "error:MemoryError"]
# host_mib = 100
# limits.vfs_bytes = 20_000_000
with open("/work/large", "wb") as file:
    for _ in range(100):
        file.write(b"x" * 10**6)
