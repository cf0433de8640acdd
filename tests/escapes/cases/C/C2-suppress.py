# about = "A context manager that suppresses whatever it can is stopped."
# expect = "kind:timeout"
# session = ["reset"]
# limits.timeout_ms = 300
import contextlib

while True:
    with contextlib.suppress(BaseException):
        while True:
            pass
