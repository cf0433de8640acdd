# about = "So does a fatal error."
# also = ["subprocess"]
# expect = ["kind:crashed", "error:ImportError", "error:AttributeError", "error:ModuleNotFoundError"]
# session = ["kept", "reset"]
import faulthandler

faulthandler._sigabrt()
