class Plugin(type):
    known = {}
    def __new__(mcs, name, bases, namespace, key=None):
        cls = super().__new__(mcs, name, bases, namespace)
        if key:
            mcs.known[key] = cls
        return cls
    def __len__(cls):
        return len(cls.__dict__.get("items", ()))

class Base(metaclass=Plugin): ...
class A(Base, key="a"):
    items = [1, 2]

(sorted(Plugin.known), len(A), Plugin.known["a"]().items, isinstance(A, Plugin))
