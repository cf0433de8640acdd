# about = "os.abort ends the sandbox and not the host."
# also = ["subprocess"]
# expect = ["kind:crashed", "error:AttributeError", "error:OSError", "error:NotImplementedError"]
# session = ["kept", "reset"]
import os

os.abort()
