# about = "A session that kills itself is a crash of the session."
# also = ["subprocess"]
# expect = ["kind:crashed", "error:AttributeError", "error:OSError", "ok"]
# session = ["kept", "reset"]
import os

os.kill(os.getpid(), 9)
