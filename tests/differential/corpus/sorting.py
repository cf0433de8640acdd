class Version:
    def __init__(self, text):
        self.parts = tuple(int(part) if part.isdigit() else part for part in text.split("."))
    def __lt__(self, other):
        return [str(p).zfill(4) for p in self.parts] < [str(p).zfill(4) for p in other.parts]
    def __repr__(self):
        return ".".join(map(str, self.parts))

versions = [Version(v) for v in "1.10 1.9 1.9.1 2.0 1.2.rc1 0.1".split()]
versions.sort()
(versions, min(versions), sorted("bBaA", key=str.swapcase), sorted([3, 1, 2], reverse=True))
