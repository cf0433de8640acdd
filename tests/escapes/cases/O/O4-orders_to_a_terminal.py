# about = "Orders to a terminal are characters for whoever reads the result, also from a value and an exception."
# expect = "error:ValueError"
import sys

orders = "\x1b]52;c;aGk=\x07\x1b[2J\x1b]0;title\x07\x9b31m\u202e"
print(orders)
print(orders, file=sys.stderr)
raise ValueError(orders)
