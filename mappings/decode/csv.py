"""CSV, hostile or not, to lines of named cells.

The first line is the header. A line with too few or too many cells is that row's problem; a quote that never closes
makes everything after it doubtful, so it refuses the file.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

from mappings.decode.charset import utf8
from mappings.decode.source import MAX_PARTS
from schemas.errors import UndecodableError

csv.field_size_limit(1 << 30)
# The limit is one for the process. A body is limited in bytes, so a cell need not be: a long one is its row's problem.

_SEPARATORS = {",": "','", ";": "';'", "\t": "tab", "|": "'|'"}
_PACKED = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")
"""How .xlsx, .ods and .zip begin, and .xls."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record of the file; `number` is its first line, from 1, the header's being 1."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    header: tuple[str, ...]
    lines: list[Line]


def parse(body: bytes, charset: str | None, *, own: str, delimiter: str, quote: str, limit: int) -> Table:
    """Header and lines; wholly blank lines are skipped. Raises: UndecodableError with the line."""
    if body.startswith(_PACKED):
        raise UndecodableError(
            "not CSV but an Excel or zip file — open it in Excel and save it as “CSV UTF-8”, or unpack the zip"
        )
    text = utf8(body, charset, own=own, limit=limit).decode()
    if text.count(delimiter) + text.count("\n") > MAX_PARTS:
        raise UndecodableError(f"the CSV has more than {MAX_PARTS:,} cells")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True)
    header: tuple[str, ...] | None = None
    lines: list[Line] = []
    start = 1
    try:
        for cells in reader:
            if cells and (len(cells) > 1 or cells[0].strip()):
                if header is None:
                    header = _header(cells, start, delimiter)
                else:
                    lines.append(Line(start, tuple(cells)))
            start = reader.line_num + 1
    except csv.Error as error:
        opened = _open_quote(text, start, quote)
        why = f"a quote ({quote}) is opened in line {opened} and never closed" if opened else str(error)
        raise UndecodableError(
            f"not CSV: {why}, in the row that starts at line {start} — "
            f"a quote inside a cell is written twice ({quote}{quote})"
        ) from None
    if header is None:
        raise UndecodableError("the CSV has no header")
    return Table(header, lines)


def _header(cells: list[str], line: int, delimiter: str) -> tuple[str, ...]:
    names = tuple(cell.strip() for cell in cells)
    if len(names) == 1:
        used = max(_SEPARATORS, key=names[0].count)
        if used != delimiter and names[0].count(used):
            declared = _SEPARATORS.get(delimiter, repr(delimiter))
            raise UndecodableError(
                f"the columns are separated by {declared}, this file uses {_SEPARATORS[used]} (line {line}) — "
                "save the file with that separator, or mend `delimiter` in the mapping"
            )
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise UndecodableError(f"column {number} of the CSV has no name, line {line}")
        if name in seen:
            raise UndecodableError(f"the CSV has two columns {name[:100]!r}, line {line}")
        seen.add(name)
    return names


def _open_quote(text: str, start: int, quote: str) -> int:
    """The line of the quote that is still open at the end of a text, read from line `start` on; 0 where none is."""
    rest = "".join(list(io.StringIO(text, newline=""))[start - 1 :])
    q = re.escape(quote)
    for found in re.finditer(f"{q}(?:[^{q}]|{q}{q})*+{q}|{q}", rest):
        if len(found.group()) == 1:
            return start - 1 + len(list(io.StringIO(rest[: found.end()], newline="")))
    return 0
