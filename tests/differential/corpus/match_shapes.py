def area(shape):
    match shape:
        case {"kind": "circle", "r": r}:
            return round(3.14159 * r * r, 2)
        case {"kind": "rect", "w": w, "h": h} if w == h:
            return ("square", w * h)
        case {"kind": "rect", "w": w, "h": h}:
            return w * h
        case [x, y, *_]:
            return x + y
        case _:
            return None

[area(s) for s in [{"kind": "circle", "r": 2}, {"kind": "rect", "w": 2, "h": 2}, {"kind": "rect", "w": 2, "h": 3}, (1, 2, 3), "ab", 5]]
