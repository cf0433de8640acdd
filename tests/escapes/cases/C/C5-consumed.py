# about = "An endless iterator that C code throws away is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import collections
import itertools

collections.deque(itertools.repeat(0), maxlen=0)
