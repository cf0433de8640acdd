# about = "Whatever function of the interpreter is called with nonsense, only the interpreter suffers."
# backends = ["deno-sandbox"]
# expect = "any"
# session = ["kept", "reset"]
import ctypes

library = ctypes.CDLL(None)
for name in ("system", "execve", "fork", "socket", "connect", "getenv", "kill", "dlopen", "exit", "abort"):
    try:
        getattr(library, name)(b"/bin/sh", 0, 0)
    except (AttributeError, OSError):
        pass
