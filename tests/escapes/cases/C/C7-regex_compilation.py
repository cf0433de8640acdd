# about = "A regular expression a hundred thousand deep is an error."
# expect = ["error:RecursionError", "error:PatternError", "error:error", "error:OverflowError"]
import re

re.compile("(" * 10**5 + ")" * 10**5)
