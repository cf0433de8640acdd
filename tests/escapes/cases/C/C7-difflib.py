# about = "A comparison of texts that takes cubic time is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import difflib

difflib.SequenceMatcher(None, "ab" * 5000, "ba" * 5000, autojunk=False).ratio()
