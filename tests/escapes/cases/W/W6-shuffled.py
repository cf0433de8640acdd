# about = "An order that is shuffled differs between two sessions."
# expect = "ok"
# sessions = 4
# across = "different_values"
import random

numbers = list(range(1000))
random.shuffle(numbers)
"-".join(map(str, numbers))
