# about = "A text that is copied at every step is stopped."
# expect = ["kind:timeout", "error:MemoryError"]
# session = ["kept", "reset"]
# limits.timeout_ms = 300
text = ""
while True:
    kept = text
    text += "x" * 1000
