# about = "os._exit ends the sandbox and not the host."
# also = ["subprocess", "container"]
# expect = ["kind:crashed", "error:SystemExit", "error:OSError"]
# session = ["kept", "reset"]
import os

os._exit(3)
