# about = "Signals reach nobody outside: not the host, not its group, not the first process."
# also = ["container"]
# expect = ["ok", "kind:crashed"]
# session = ["kept", "reset"]
import os

for target in (1, os.getppid() if hasattr(os, "getppid") else 2, 0, -1, -os.getpid(), 2):
    for number in (0, 15, 9):
        if target in (0, -1) and number == 9:
            continue  # what is its own may be left
        try:
            os.kill(target, number)
        except (OSError, AttributeError, OverflowError, NotImplementedError):
            pass
for target in (0, 1):
    try:
        os.killpg(target, 15)
    except (OSError, AttributeError, NotImplementedError):
        pass
