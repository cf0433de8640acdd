"""What the functions of a wasm module are called, for whoever looks at a profile.

function_names.py list MODULE     a line with each function's number and name
function_names.py put NAMES       puts them in the place of `wasm[0]::function[7]` in the input
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

_NAMED = re.compile(r"wasm\[0\]::function\[(\d+)\]")


class Reader:
    """Reads the numbers and texts of a wasm module."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self) -> int:
        """A number of any length, seven bits a byte."""
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def bytes(self) -> bytes:
        """Bytes after their length."""
        length = self.number()
        self.at += length
        return self.data[self.at - length : self.at]


def function_names(module: bytes) -> Iterator[tuple[int, str]]:
    """The functions of a module that has a section of names."""
    sections = Reader(module)
    sections.at = 8  # after the magic and the version
    while sections.at < len(module):
        kind = sections.number()
        section = Reader(sections.bytes())
        if kind == 0 and section.bytes() == b"name":
            yield from _functions(section)


def _functions(section: Reader) -> Iterator[tuple[int, str]]:
    while section.at < len(section.data):
        kind = section.number()
        names = Reader(section.bytes())
        if kind == 1:
            for _ in range(names.number()):
                number = names.number()
                yield number, names.bytes().decode()


def put(names: dict[str, str], text: str) -> str:
    """The text with names in the place of numbers."""
    return _NAMED.sub(lambda found: names.get(found[1], found[0]), text)


def main() -> None:
    """Does what the command line says."""
    what, file = sys.argv[1:]
    if what == "list":
        for number, name in function_names(Path(file).read_bytes()):
            sys.stdout.write(f"{number} {name}\n")
        return
    names = dict(line.split(" ", 1) for line in Path(file).read_text().splitlines())
    for line in sys.stdin:
        sys.stdout.write(put(names, line))


main()
