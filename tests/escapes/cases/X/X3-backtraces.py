# about = "No backtrace of the host is in what a crash of the sandbox tells."
# expect = "any"
# session = ["kept", "reset"]
import sys

sys.setrecursionlimit(10**6)


class Deep:
    def __repr__(self):
        return repr(self) + repr(self)


try:
    repr(Deep())
except BaseException as error:
    told = str(error)
    assert ".rs:" not in told and "wasm_trap" not in told
