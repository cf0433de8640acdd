import functools
@functools.lru_cache(2)
def f(n):
    return n * n
[f(n) for n in (1, 2, 1, 3, 2)]
@functools.total_ordering
class T:
    def __init__(self, n): self.n = n
    def __eq__(self, o): return self.n == o.n
    def __lt__(self, o): return self.n < o.n
(f.cache_info(), T(1) >= T(1), T(2) > T(1), functools.reduce(lambda a, b: a * b, range(1, 6)), sorted("bca", key=functools.cmp_to_key(lambda a, b: (a < b) - (a > b))))
