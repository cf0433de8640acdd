import cmath
[abs(3 + 4j), (1 + 2j) * (3 - 1j), (1 + 2j) ** 2, cmath.sqrt(-4), (2j).conjugate(), complex("1e3-2j"), repr(-0j), cmath.phase(-1 + 0j), 1j == complex(0, 1)]
