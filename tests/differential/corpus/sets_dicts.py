a, b = {1, 2, 3}, frozenset({3, 4})
d = dict.fromkeys("abc", 0)
d |= {"c": 5, "d": 6}
popped = d.popitem()
(sorted(a | b), sorted(a - b), a >= {1}, d, popped, list(reversed(d)), d.setdefault("z", []), {**d}.keys() - {"a"} == {"b", "c", "z"}, dict(zip("ab", [1, 2]))["b"], {True: 1, 1: 2, 1.0: 3})
