# about = "A tower of powers is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
9**9**9
