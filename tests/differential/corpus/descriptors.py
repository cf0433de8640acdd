class Typed:
    def __init__(self, kind):
        self.kind = kind
    def __set_name__(self, owner, name):
        self.name = name
    def __get__(self, instance, owner):
        return self if instance is None else instance.__dict__.get(self.name, "unset")
    def __set__(self, instance, value):
        if not isinstance(value, self.kind):
            raise TypeError(f"{self.name}: {type(value).__name__}")
        instance.__dict__[self.name] = value

class P:
    x = Typed(int)

p = P()
before = p.x
p.x = 5
try:
    p.x = "s"
except TypeError as error:
    said = str(error)
(before, p.x, said)
