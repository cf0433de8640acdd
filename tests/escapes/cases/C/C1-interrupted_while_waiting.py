# about = "A wait for a tool is stopped when the host says so."
# expect = "kind:cancelled"
# interrupt_after_ms = 100
tools.never()
