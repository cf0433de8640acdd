# about = "A regular expression of large repetitions is stopped, or refused."
# expect = ["kind:timeout", "ok", "error:OverflowError", "error:MemoryError"]
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import re

re.match("(?:(?:x{1,65000}){1,65000}){1,65000}y", "x" * 1000)
