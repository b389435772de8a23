"""Reads the project's Markdown pages as what they promise: blocks of code, links, commands, tests.

What is done with a block of code (an invisible comment on the line above it says what is special):

    ```sh                       run by bash from the page's own folder, which holds a copy of config/; must exit 0
    ```console                  the same for the lines after "$ "; prints the other lines, where "..." is anything
    ```python                   run, in one namespace for the page; with ">>>" as a doctest; as a file only written
    ```yaml, json, toml, xml    must parse
    ```text                     not code

    <!-- file: hub.yaml -->     the block is written into the page's folder under this name, for the blocks after it
    <!-- in: lien-thong -->     the block's commands are typed in this folder, where a reader is by then
    <!-- exit: 1 -->            the block's commands end with this exit status
    <!-- not run: why -->       a shell block that no test can run; its commands must exist all the same
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELL = frozenset({"sh", "console"})
DATA = frozenset({"yaml", "json", "toml", "xml"})
LANGUAGES = SHELL | DATA | {"python", "text"}

_FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```[ ]*$", re.MULTILINE | re.DOTALL)
_DIRECTIVE = re.compile(r"<!-- (file|exit|in|not run): (.+?) -->\s*\Z")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `line` is that of its first line of content."""

    page: str
    line: int
    language: str
    text: str
    directive: str
    argument: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The command lines of a shell block, continued lines joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        if self.language == "console":
            return [line[2:] for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def pages() -> list[str]:
    """The pages that a reader starts from, relative to the root."""
    return ["README.md", "CHANGELOG.md", *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md"))]


def blocks(page: str) -> list[Block]:
    """Every fenced block of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        above = _DIRECTIVE.search(text[: match.start()])
        directive, argument = above.groups() if above else ("", "")
        indent, language, body = match.groups()
        body = re.sub(rf"^{indent}", "", body, flags=re.MULTILINE) if indent else body
        found.append(Block(page, text.count("\n", 0, match.start()) + 2, language, body, directive, argument))
    return found


def prose(page: str) -> str:
    """A page without its blocks of code."""
    return _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))


def links(page: str) -> list[str]:
    return _LINK.findall(re.sub(_INLINE, "", prose(page)))


def inline(page: str) -> list[str]:
    """What a page sets between single back-ticks."""
    return _INLINE.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The addresses of a page's headings, by the rule of the usual Markdown hosts."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", h.replace("`", "").lower()).replace(" ", "-") for h in headings}


def project_files() -> Iterator[Path]:
    """The files that are, or would be, under version control."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            yield ROOT / name
