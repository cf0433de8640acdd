# about = "Another regular expression that backtracks without end is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import re

re.match("(.*a){25}", "a" * 30 + "!")
