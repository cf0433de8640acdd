import os, pathlib, tempfile
with tempfile.TemporaryDirectory() as folder:
    base = pathlib.Path(folder)
    for n in range(3):
        (base / f"f{n}.txt").write_text(f"line {n}\n" * (n + 1))
    (base / "d").mkdir()
    (base / "d" / "x.bin").write_bytes(bytes(range(5)))
    names = sorted(os.path.relpath(os.path.join(where, name), folder) for where, _, files in os.walk(folder) for name in files)
    sizes = {name: (base / name).stat().st_size for name in names}
    with open(base / "f2.txt") as stream:
        first, rest = stream.readline(), stream.read()
    (base / "f0.txt").unlink()
    left = len(list(base.glob("*.txt")))
(sizes, first, rest, left, os.path.exists(folder))
