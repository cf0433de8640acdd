# about = "A regular expression that backtracks without end is stopped within C code."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import re

re.match(r"(a+)+$", "a" * 40 + "b")
