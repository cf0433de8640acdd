# about = "Two hundred megabytes that are printed are no two hundred megabytes in the host."
# also = ["subprocess", "container"]
# expect = ["ok", "kind:output", "error:OSError"]
# host_mib = 64
# limits.timeout_ms = 20000
for _ in range(200):
    print("x" * 10**6)
