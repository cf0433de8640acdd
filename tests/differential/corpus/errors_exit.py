import sys

print("leaving")
sys.exit("with a text")
