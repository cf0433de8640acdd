# about = "What is printed before the limit comes in its order."
# expect = "value:1"
import sys

for number in range(1000):
    print(number)
    print(number, file=sys.stderr)
1
