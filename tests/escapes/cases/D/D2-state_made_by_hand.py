# host = "workshop"
# about = "A state that the code makes up, in an artifact or a file, is only bytes."
# expect = "value:4"
kept = 0
for name, data in (
    ("state.pcm", b"PCM-STATE" + b"\xff" * 1000),
    ("x.cwasm", b"\x7fELF" + b"\0" * 1000),
    ("image.bundle", b"\0asm" + b"\xff" * 64),
    ("huge", (2**63).to_bytes(8, "little") * 100),
):
    artifacts.save(name, data)
    kept += artifacts.load(name) == data
kept
