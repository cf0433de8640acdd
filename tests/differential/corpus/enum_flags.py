from enum import Enum, Flag, IntEnum, auto

class Color(Enum):
    RED = auto()
    GREEN = auto()
    @property
    def short(self):
        return self.name[0]

class Access(Flag):
    R = 4
    W = 2
    X = 1

class Level(IntEnum):
    LOW = 1
    HIGH = 2

([c.short for c in Color], Color["RED"].value, (Access.R | Access.X).value, Access.W in Access.R | Access.W, Level.HIGH > Level.LOW, Level(2) + 1)
