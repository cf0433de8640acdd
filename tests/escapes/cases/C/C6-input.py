# about = "There is nobody to ask."
# expect = "error:EOFError"
input()
