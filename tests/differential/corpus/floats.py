import math
[0.1 + 0.2, 1e308 * 10, -0.0, float("nan") != float("nan"), 3.7 // 1, -3.7 % 1, math.fmod(-3.7, 1), round(2.5), round(3.5), 1 / 3, 1e-7, 123456789012345680.0, math.nextafter(1.0, 2.0), math.ulp(1.0), math.remainder(5, 3), float.hex(0.1), 2.0 ** 0.5, math.hypot(3, 4), math.sin(1), math.log(10), math.gamma(5.5), math.erf(0.5)]
