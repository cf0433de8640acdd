# about = "A loop is stopped when the host says so."
# expect = "kind:cancelled"
# interrupt_after_ms = 100
while True:
    pass
