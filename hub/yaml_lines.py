"""Configuration files read as plain values, with the line that every value stands on.

The YAML is that of the mappings (`mappings.notation`): no anchors, tags or keys twice; `yes` and `0.5` are texts (the
models turn a text that is a number into one).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.validation import Place
from mappings.notation import Marked, Problems
from mappings.notation import parse as compose
from schemas.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class Document:
    """The values of one file and where they stand."""

    file: str
    data: Any
    lines: dict[Place, int] = field(default_factory=dict, repr=False)

    def line(self, place: Place) -> int:
        """The line (from 1) of the key at `place`, or of its nearest parent that exists; 1 for the file itself."""
        for length in range(len(place), 0, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return 1


def read(path: Path) -> Document:
    """Read a file. Raises: ConfigError that names file and line when it cannot be read, or is not UTF-8 or not YAML."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        mend = "make it readable" if path.is_file() else "check the path"
        raise ConfigError([Problem("unreadable-file", f"cannot be read: {why}", mend, str(path))]) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem("not-utf8", "is not UTF-8 text", "save it as UTF-8", str(path), line)]) from error
    return parse(text, str(path))


def parse(text: str, file: str) -> Document:
    """Read YAML text; `file` is named in errors. Raises: ConfigError with every problem of the notation."""
    if not text.strip():
        raise ConfigError([Problem("empty-file", "is empty", "docs/configuration.md has an example", file, 1)])
    problems = Problems(file)
    root = compose(text, problems)
    problems.stop()
    lines: dict[Place, int] = {}
    if root is not None:
        _note(root, (), lines)
    return Document(file, None if root is None else root.plain, lines)


def _note(item: Marked, place: Place, lines: dict[Place, int]) -> None:
    lines[place] = item.line
    if isinstance(item.value, dict):
        for key, below in item.value.items():
            _note(below, (*place, key), lines)
    elif isinstance(item.value, list):
        for number, below in enumerate(item.value):
            _note(below, (*place, number), lines)
