import string

def shift(text, by):
    lower, upper = string.ascii_lowercase, string.ascii_uppercase
    table = str.maketrans(lower + upper, lower[by:] + lower[:by] + upper[by:] + upper[:by])
    return text.translate(table)

print(shift("Hello, World! äöü", 13))
shift(shift("abcXYZ", 5), 21)
