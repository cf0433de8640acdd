# about = "Alternatives that overlap are tried without end, and stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import re

re.fullmatch("(?:a|aa)+", "a" * 50 + "b")
