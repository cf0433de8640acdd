# about = "A terminal of its own starts nothing either."
# expect = ["error:ModuleNotFoundError", "error:OSError", "error:AttributeError", "error:ImportError", "error:NotImplementedError"]
import pty

pty.spawn(["/bin/sh", "-c", "id"])
