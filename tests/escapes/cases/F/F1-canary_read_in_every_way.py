# about = "The canary's file is not read by any of the ways to read a file."
# also = ["container", "subprocess"]
# expect = "value:[]"
import fileinput
import io
import linecache
import os
import pathlib
import shutil
import tokenize
import zipfile

path = tools.places()["file"]


def copied():
    shutil.copyfile(path, "copy")
    return open("copy").read()


def zipped():
    with zipfile.ZipFile("z.zip", "w") as archive:
        archive.write(path)
    return open("z.zip", "rb").read()


ways = {
    "open": lambda: open(path).read(),
    "io": lambda: io.FileIO(path).read(),
    "os": lambda: os.read(os.open(path, os.O_RDONLY), 99),
    "path": lambda: pathlib.Path(path).read_text(),
    "linecache": lambda: linecache.getlines(path),
    "fileinput": lambda: list(fileinput.input(path)),
    "tokenize": lambda: tokenize.open(path).read(),
    "copied": copied,
    "zipped": zipped,
}
read = []
for name, way in ways.items():
    try:
        if way():
            read.append(name)
    except (OSError, SyntaxError):
        pass
read
