# about = "A decimal of a hundred million digits is stopped."
# expect = ["kind:timeout", "error:MemoryError"]
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import decimal

decimal.getcontext().prec = 10**7
decimal.Decimal(2).sqrt().exp()
