# about = "Time that is spent compiling counts."
# expect = "kind:timeout"
# limits.timeout_ms = 300
while True:
    compile("1 + " * 100 + "1", "x", "eval")
