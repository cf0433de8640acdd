import io
buffer = io.StringIO("one\ntwo\nthree")
lines = [line.rstrip() for line in buffer]
raw = io.BytesIO()
with io.TextIOWrapper(raw, encoding="utf-16-le", newline="\r\n", write_through=True) as text:
    text.write("a\nb")
    data = raw.getvalue()
(lines, buffer.tell(), data)
