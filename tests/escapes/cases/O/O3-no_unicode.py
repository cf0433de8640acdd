# about = "Half a character, bytes that are no text and zeros are output all the same."
# also = ["subprocess", "in-process"]
# expect = ["ok", "error:UnicodeEncodeError"]
import os
import sys

for text in (chr(0xD800), "\0\0\0", "\U0010ffff", "\udcff\udc80", "a" * 70000 + "\ud800"):
    try:
        print(text)
        print(text, file=sys.stderr)
    except UnicodeEncodeError:
        pass
try:
    os.write(1, b"\xff\xfe\x80\xc3")
    os.write(2, b"\xed\xa0\x80")
except OSError:
    pass
