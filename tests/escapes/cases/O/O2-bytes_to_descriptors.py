# about = "Bytes that are written to the streams past Python are output and no frames."
# also = ["subprocess"]
# expect = "any"
# session = ["kept", "reset"]
import os
import sys

for number in (0, 1, 2):
    for text in (b"\x00\x00\x00\x00", b"\xff" * 64, b'{"type":"exec_result","value":42}\n', b"\x10\x00\x00\x00"):
        try:
            os.write(number, text)
        except OSError:
            pass
for stream in (sys.__stdout__, sys.__stderr__):
    try:
        stream.buffer.write(b"\xff\xff\xff\xff")
        stream.flush()
    except (AttributeError, OSError, ValueError):
        pass
