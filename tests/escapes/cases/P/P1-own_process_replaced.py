# about = "The process of the session is not replaced by another program."
# expect = "value:[]"
import os

ran = []
for name, args in (
    ("execv", ("/bin/sh", ["sh"])), ("execve", ("/bin/sh", ["sh"], {})), ("execvp", ("sh", ["sh"])), ("execl", ("/bin/sh", "sh")), ("execlp", ("sh", "sh")),
):
    try:
        getattr(os, name)(*args)
        ran.append(name)
    except (OSError, AttributeError, NameError, NotImplementedError):
        pass
ran
