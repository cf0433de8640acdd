# about = "A look for something true in an endless iterator is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import itertools

any(itertools.repeat(False))
