# about = "sys.exit ends the run and nothing else."
# also = ["subprocess", "container", "in-process"]
# expect = "error:SystemExit"
import sys

sys.exit(3)
