# about = "The same program uses the same fuel in two sessions."
# backends = ["wasm"]
# expect = "value:328350"
# sessions = 2
# across = "same_fuel"
# limits.fuel = 1_000_000_000_000
import random

random.seed(7)
values = [random.randrange(1000) for _ in range(1000)]
sorted(values)
sum(n * n for n in range(100))
