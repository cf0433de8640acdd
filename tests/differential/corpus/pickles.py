import pickle
class P:
    def __init__(self, n): self.n = n
    def __eq__(self, o): return self.n == o.n
data = {"p": P(3), "s": {1, 2}, "t": (1, [2]), "b": b"x", "f": 1.5, "n": None, "big": 10 ** 40}
back = pickle.loads(pickle.dumps(data))
(back == data, type(back["p"]).__name__, pickle.loads(pickle.dumps(len)) is len)
