# about = "A binomial coefficient of millions of digits is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import math

math.comb(10**7, 5 * 10**6)
