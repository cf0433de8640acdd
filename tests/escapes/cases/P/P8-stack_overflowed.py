# about = "So does a stack that runs over in C."
# expect = ["kind:crashed", "error:ImportError", "error:AttributeError", "error:RecursionError", "error:MemoryError", "error:ModuleNotFoundError"]
# session = ["kept", "reset"]
import faulthandler

faulthandler._stack_overflow()
