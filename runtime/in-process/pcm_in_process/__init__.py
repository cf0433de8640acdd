"""What the evaluator needs where many sessions share one interpreter.

`pcm_guest` takes the interpreter around it for its own. Here each session has a thread, and what
Python has one of (`sys.stdout`, `__main__`, the builtins, the recursion limit) is the thread's
session's: `belonging` says whose a thread is, `shared` puts dispatchers into the interpreter's
places, `session` makes the parts of one session.

In: `Session(port, ...)`, on the thread of the session, from the host. What must never live here:
what evaluation means. And nothing here is a wall: code of a session reaches all of the process.
"""
