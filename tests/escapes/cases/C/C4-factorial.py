# about = "A factorial of millions of digits is stopped."
# expect = "kind:timeout"
# limits.timeout_ms = 300
import math

math.factorial(10**7)
