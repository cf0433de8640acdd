import random
rng = random.Random(2024)
[rng.random(), rng.randint(1, 6), rng.choices("abc", [5, 1, 1], k=5), rng.sample(range(100), 4), rng.gauss(0, 1), rng.uniform(2, 3), rng.getrandbits(70), rng.betavariate(2, 3), (lambda x: (rng.shuffle(x), x)[1])(list("abcdef"))]
