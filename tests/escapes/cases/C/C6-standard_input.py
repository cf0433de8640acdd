# about = "Standard input is empty."
# expect = 'value:""'
import sys

sys.stdin.read()
