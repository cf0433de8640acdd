import re

def tokens(text):
    return re.findall(r"\d+\.?\d*|[-+*/()]", text)

def parse(items):
    def factor():
        token = items.pop(0)
        if token == "(":
            value = expression()
            items.pop(0)
            return value
        if token == "-":
            return -factor()
        return float(token)

    def term():
        value = factor()
        while items and items[0] in "*/":
            value = value * factor() if items.pop(0) == "*" else value / factor()
        return value

    def expression():
        value = term()
        while items and items[0] in "+-":
            value = value + term() if items.pop(0) == "+" else value - term()
        return value

    return expression()

[parse(tokens(text)) for text in ["1+2*3", "(1+2)*3", "-4/(2-4)", "2*(3+4*(5-6))", "10/4"]]
