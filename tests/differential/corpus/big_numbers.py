import math
a = math.factorial(300)
b = pow(7, 500)
[len(str(a)), a % (10 ** 9 + 7), math.gcd(a, b) == 7 ** 48, b // a % 1000, str(b)[:10], (a << 13) >> 13 == a, math.isqrt(b) ** 2 <= b]
