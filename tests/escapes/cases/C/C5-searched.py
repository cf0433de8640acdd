# about = "A search in an endless iterator is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import itertools

-1 in itertools.count()
