# about = "A flood of warnings and of the log is output with a limit."
# expect = ["ok", "kind:timeout", "kind:output"]
# session = ["kept", "reset"]
# host_mib = 64
# limits.timeout_ms = 2000
import logging
import warnings

warnings.simplefilter("always")
while True:
    warnings.warn("w" * 1000)
    logging.error("e" * 1000)
