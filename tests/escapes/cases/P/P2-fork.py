# about = "A session does not become two."
# expect = ["error:OSError", "error:AttributeError", "error:BlockingIOError", "error:NotImplementedError"]
import os

while True:
    os.fork()
