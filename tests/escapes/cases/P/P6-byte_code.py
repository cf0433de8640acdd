# about = "Code that is no code does not reach out of the interpreter that runs it."
# expect = "any"
# session = ["kept", "reset"]
import types

code = (lambda: 0).__code__
types.FunctionType(code.replace(co_code=b"\x64\xff" * 20, co_consts=()), {})()
