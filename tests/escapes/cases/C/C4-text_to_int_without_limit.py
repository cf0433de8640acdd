# about = "Without the limit on digits the conversion is stopped."
# expect = "kind:timeout"
# session = ["kept", "reset"]
# limits.timeout_ms = 300
import sys

sys.set_int_max_str_digits(0)
int("9" * 10**7)
