# about = "Code that takes its streams away has none, and the next run has some."
# also = ["subprocess", "in-process"]
# expect = "any"
# session = ["kept", "reset"]
import sys

sys.stdout.close()
sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None
print("nobody hears")
