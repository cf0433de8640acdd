# about = "A text of ten million digits is not made a number."
# expect = "error:ValueError"
int("9" * 10**7)
