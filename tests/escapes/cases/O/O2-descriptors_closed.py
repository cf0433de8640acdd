# about = "Closing the descriptors of the streams, or putting others in their place, breaks no protocol."
# also = ["subprocess"]
# expect = "any"
# session = ["kept", "reset"]
import os

for number in (0, 1, 2):
    try:
        os.close(number)
    except OSError:
        pass
try:
    made = os.open("/tmp/stream", os.O_RDWR | os.O_CREAT)
    os.dup2(made, 1)
    os.dup2(made, 2)
except OSError:
    pass
print("somewhere")
