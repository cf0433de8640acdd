# about = "An exception that is its own cause and context is told once."
# expect = ["error:ValueError"]
error = ValueError("a")
other = ValueError("b")
error.__cause__ = other
other.__cause__ = error
error.__context__ = error
raise error
