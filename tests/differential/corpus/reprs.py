class R:
    def __repr__(self): return "<R>"
class S(str): ...
from collections import OrderedDict, defaultdict, deque, namedtuple
N = namedtuple("N", "a b")
[R(), [R()], {R: 1}.__len__(), S("s"), N(1, [2]), OrderedDict(a=1).__class__.__name__, defaultdict(int, a=1), deque([1], 3), range(1, 9, 2), slice(1), Ellipsis, NotImplemented, print.__name__, 1e50, -0.0, {1: {2: {3: {}}}}, ValueError("x", 1), type(1), b"\xff'", "it's \"q\""]
