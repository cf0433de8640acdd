cells = {(1, 0), (2, 1), (0, 2), (1, 2), (2, 2)}
from collections import Counter

for _ in range(12):
    near = Counter((x + i, y + j) for x, y in cells for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
    cells = {cell for cell, n in near.items() if n == 3 or n == 2 and cell in cells}
sorted(cells)
