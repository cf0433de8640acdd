"""A preprocessor of mdbook: fails on links of the repository that lead nowhere, and brings the
book the pages beside `docs`.

Links are written for whoever reads the repository: `../SECURITY.md` is beside that folder. In the
book such a page is a chapter at its end, and what is no page (a program, a folder) is named without
a link. Looked at are the pages of the book, the ones beside it, and the README: that a file is
there, that a heading is, and that a page of `docs` is in `SUMMARY.md`.
"""

import json
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BESIDE = ["ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"]

FENCE = re.compile(r"^( *)(```+|~~~+).*?^ *\2[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<to>[^()\s]+)\)")
SOURCE = re.compile(r'<(?:img|source)[^>]*\s(?:src|srcset)="([^"]+)"')
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def blanked(text: str) -> str:
    """The text with its code as blanks, all else where it was."""
    for code in (FENCE, CODE):
        text = code.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    return text


def anchors(text: str) -> set[str]:
    """What GitHub and mdbook both call the headings of a page."""
    found: set[str] = set()
    prose = FENCE.sub("", text)
    for heading in HEADING.findall(prose):
        plain = LINK.sub(lambda match: match["text"], heading)
        word = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        name, again = word, 0
        while name in found:
            again += 1
            name = f"{word}-{again}"
        found.add(name)
    return found


def chapters(items: list[Any]) -> Iterator[dict[str, Any]]:
    """All chapters that are below some items of a book."""
    for item in items:
        if chapter := item.get("Chapter") if isinstance(item, dict) else None:
            yield chapter
            yield from chapters(chapter["sub_items"])


class Checker:
    """Looks after the links of one page after the other."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.linked: dict[str, set[str]] = {}

    def anchors(self, file: Path) -> set[str]:
        """The headings of a page, read once."""
        name = str(file)
        if name not in self.linked:
            self.linked[name] = anchors(file.read_text(encoding="utf-8"))
        return self.linked[name]

    def check(self, page: Path, text: str) -> None:
        """Notes every link of a page that leads nowhere."""
        prose = blanked(text)
        targets = [match["to"] for match in LINK.finditer(prose)] + SOURCE.findall(prose)
        for target in targets:
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, heading = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            here = page.relative_to(ROOT)
            if ROOT not in [file, *file.parents] or not file.exists():
                self.wrong.append(f"{here}: {target} is not there")
            elif heading and (file.suffix != ".md" or heading not in self.anchors(file)):
                self.wrong.append(f"{here}: {target}: there is no such heading")


def in_the_book(page: Path, text: str, named: set[str]) -> str:
    """The text with its links as the book has them; `named` are the paths of all chapters."""
    prose = blanked(text)
    pieces, end = [], 0
    for match in LINK.finditer(prose):
        path, _, heading = match["to"].partition("#")
        if not path or re.match(r"[a-z][a-z0-9+.-]*:", match["to"]):
            continue
        file = (page.parent / path).resolve()
        within = DOCS in file.parents
        name = str(file.relative_to(DOCS if within else ROOT))
        shown = text[match.start("text") : match.end("text")]
        if name in named:
            # A page beside `docs` is a chapter at its top.
            of_page = page.parent if DOCS in page.parents else DOCS
            to = posixpath.relpath(name, str(of_page.relative_to(DOCS)))
            link = f"{match['image']}[{shown}]({to}{'#' + heading if heading else ''})"
        elif within and file.is_file() and file.suffix != ".md":
            continue
        else:
            link = shown
        pieces += [text[end : match.start()], link]
        end = match.end()
    return "".join(pieces) + text[end:]


def main() -> None:
    """Answers mdbook, which asks first whether a renderer is supported."""
    if sys.argv[1:2] == ["supports"]:
        return
    _, book = json.load(sys.stdin)
    there = list(chapters(book["items"]))
    checker = Checker()
    listed = {chapter["source_path"] for chapter in there}
    for file in sorted(DOCS.rglob("*.md")):
        name = str(file.relative_to(DOCS))
        if name not in listed and name != "SUMMARY.md":
            checker.wrong.append(f"docs/{name} is not in SUMMARY.md")
    for name in BESIDE:
        text = (ROOT / name).read_text(encoding="utf-8")
        title = HEADING.search(text)
        chapter: dict[str, Any] = {
            "name": title[1] if title else name,
            "content": text,
            "number": None,
            "sub_items": [],
            "path": name,
            "source_path": name,
            "parent_names": [],
        }
        book["items"].append({"Chapter": chapter})
        there.append(chapter)
    named = listed | set(BESIDE)
    for chapter in there:
        name = chapter["source_path"]
        page = (ROOT if name in BESIDE else DOCS) / name
        checker.check(page, chapter["content"])
        if not checker.wrong:
            chapter["content"] = in_the_book(page, chapter["content"], named)
    checker.check(ROOT / "README.md", (ROOT / "README.md").read_text(encoding="utf-8"))
    checker.check(DOCS / "SUMMARY.md", (DOCS / "SUMMARY.md").read_text(encoding="utf-8"))
    if checker.wrong:
        sys.exit("\n".join(checker.wrong))
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
