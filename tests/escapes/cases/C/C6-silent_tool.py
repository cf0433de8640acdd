# about = "A tool that never answers is given up."
# expect = "kind:timeout"
# limits.timeout_ms = 300
tools.never()
