# about = "A number of a million digits is not made a text."
# expect = "error:ValueError"
"%d" % (10**10**6)
