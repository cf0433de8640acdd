# about = "Reading from every descriptor gives nothing of the host, and does not keep the run for ever."
# also = ["subprocess"]
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 5000
import os

text = b""
for number in range(256):
    try:
        os.set_blocking(number, False)
        text += os.read(number, 1000)
    except (OSError, AttributeError):
        continue
print(text)
