from decimal import Decimal, getcontext, ROUND_HALF_EVEN
from fractions import Fraction

getcontext().prec = 40
harmonic = sum(Fraction(1, n) for n in range(1, 30))
print(harmonic, float(harmonic))
print(Decimal(2).sqrt(), Decimal("1.005").quantize(Decimal("0.01"), ROUND_HALF_EVEN))
(harmonic.limit_denominator(1000), Decimal("NaN").is_nan(), Decimal(7) // Decimal(2), Decimal("-7") % 3)
