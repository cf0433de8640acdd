# about = "An exception whose name, text and notes raise is told with what is left."
# also = ["in-process"]
# expect = "any"
class Meta(type):
    def __getattribute__(self, name):
        if name in ("__name__", "__qualname__", "__module__"):
            raise SystemExit(name)
        return super().__getattribute__(name)


class Wrong(Exception, metaclass=Meta):
    def __str__(self):
        raise KeyboardInterrupt

    __notes__ = property(lambda self: 1 / 0)
    __traceback__ = property(lambda self: 1 / 0)
    __cause__ = property(lambda self: 1 / 0)


raise Wrong
