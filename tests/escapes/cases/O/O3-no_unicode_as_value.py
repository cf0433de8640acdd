# about = "So they are as a value, an exception and the name of a class."
# also = ["in-process"]
# expect = ["any"]
raise type("\ud800\0", (Exception,), {})("\udcff" * 100 + "\0")
