# about = "Code that catches what stops it once, and then ends, has ended."
# expect = ["kind:timeout", "ok"]
# limits.timeout_ms = 300
try:
    while True:
        pass
except BaseException:
    caught = True
