# about = "Frames that are written to every descriptor there is reach nobody, or are the session's own."
# also = ["subprocess", "container"]
# expect = "any"
# session = ["kept", "reset"]
# limits.timeout_ms = 10000
import os

text = b'{"namespace":"tools","op":"call","args":{"name":"never","args":{}}}'
frames = [len(text).to_bytes(4, "little") + text, len(text).to_bytes(4, "big") + text, b"\xff" * 16, text + b"\n", b"\x7f\xff\xff\xff"]
for number in range(256):
    for frame in frames:
        try:
            os.set_blocking(number, False)
            os.write(number, frame)
        except (OSError, AttributeError):
            break
