# about = "A search in a text that takes quadratic time is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
text = "a" * 10**6 + "b" + "a" * 10**6
while True:
    text.count("a" * 10**3 + "c" + "a" * 10**3)
