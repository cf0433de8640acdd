# about = "What makes an interpreter crash on purpose crashes the sandbox."
# also = ["subprocess"]
# expect = ["kind:crashed", "error:ImportError", "error:AttributeError", "error:ModuleNotFoundError"]
# session = ["kept", "reset"]
import faulthandler

faulthandler._sigsegv()
