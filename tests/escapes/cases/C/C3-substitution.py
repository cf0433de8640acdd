# about = "A substitution over a text that is hard to match is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import re

re.sub("(x+x+)+y", "", "x" * 50)
