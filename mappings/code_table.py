"""Code tables: the words of one with their codes, and a table that is a CSV file, with days of validity. Pure.

    word,code,from,until,note
    Đang xử lý,4,,,
    Chờ,5,,2020-06-30,until the new rules
    Chờ,6,2020-07-01,,

`from` and `until` are days (2020-06-30 or 30/06/2020), both included, open where empty; they and `note` may be absent.
Between the cells stands a comma, a semicolon or a tab, whatever the first line has.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple
from unicodedata import normalize

from mappings.notation import Marked, Problems, nearest

COLUMNS = ("word", "code", "from", "until", "note")
_NEEDED = COLUMNS[:2]
_DELIMITERS = ",;\t"
_LOCAL_DAY = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")


class Span(NamedTuple):
    """A code and the days on which a word has it, both included."""

    first: date
    last: date
    code: Marked

    def __str__(self) -> str:
        first = "" if self.first == date.min else f" from {self.first}"
        last = "" if self.last == date.max else f" until {self.last}"
        return f"{first}{last}" or " always"


class Words(dict[str, Marked]):
    """The codes by their words; of a word in `dated` it is one of them: which counts, the day decides."""

    def __init__(
        self,
        words: Mapping[str, Marked] | Iterable[tuple[str, Marked]],
        file: str = "",
        dated: Mapping[str, Sequence[Span]] | None = None,
        *,
        text_only: bool = False,
    ) -> None:
        super().__init__(words)
        self.file = file
        """Where its lines are; "" for the file of the mapping."""
        self.dated: Mapping[str, Sequence[Span]] = dated or {}
        self.text_only = text_only
        """Whether a code that is a number stands there as its digits."""


def from_csv(text: str, name: str, problems: Problems) -> Words:
    """The table that a CSV file holds; notes every problem with its line."""
    spans: dict[str, list[Span]] = {}
    columns: list[str] | None = None
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if columns is None:
                    columns = _columns(cells, line, name, problems)
                    if columns is None:
                        break
                else:
                    _entry(cells, columns, line, name, problems, spans)
            line = reader.line_num + 1
    except csv.Error as error:
        problems.add("csv", line, f"the table {name!r} is no CSV here: {error}", "close the quotes, one row in a line")
        return Words({}, problems.file, text_only=True)
    if columns is None and not problems.found:
        problems.add("csv", 1, f"the table {name!r} is empty", f"begin with a line {','.join(COLUMNS)}")
    dated = {word: tuple(found) for word, found in spans.items() if not _always(found)}
    return Words({word: found[0].code for word, found in spans.items()}, problems.file, dated, text_only=True)


def _always(spans: Sequence[Span]) -> bool:
    return len(spans) == 1 and (spans[0].first, spans[0].last) == (date.min, date.max)


def _columns(cells: Sequence[str], line: int, name: str, problems: Problems) -> list[str] | None:
    """The names of the columns. None where the rows cannot be read by them."""
    found = [cell.strip().casefold() for cell in cells]
    for column in dict.fromkeys(found):
        if column not in COLUMNS:
            said = (
                f"the table {name!r} has a column {column!r}" if column else f"the table {name!r}: a column has no name"
            )
            problems.add("csv", line, said, nearest(column, COLUMNS))
        elif found.count(column) > 1:
            problems.add("csv", line, f"the table {name!r} has the column {column!r} twice", "keep one of them")
    lacking = [column for column in _NEEDED if column not in found]
    if lacking:
        mend = f"begin with a line {','.join(COLUMNS)}"
        problems.add("csv", line, f"the table {name!r} lacks the column {' and '.join(lacking)}", mend)
    return None if lacking else found


def _entry(
    cells: Sequence[str],
    columns: Sequence[str],
    line: int,
    name: str,
    problems: Problems,
    spans: dict[str, list[Span]],
) -> None:
    if len(cells) != len(columns):
        said = f"the table {name!r}: the line has {len(cells)} cells, the header {len(columns)}"
        problems.add("csv", line, said, "put a text that has the sign between the cells into quotes")
        return
    row = {column: normalize("NFC", cell).strip() for column, cell in zip(columns, cells, strict=True)}
    before = len(problems.found)
    for column in _NEEDED:
        if not row[column]:
            problems.add("csv", line, f"the table {name!r}: the {column} is empty", "fill it in, or leave the line out")
    first = _day(row.get("from", ""), date.min, line, name, problems)
    last = _day(row.get("until", ""), date.max, line, name, problems)
    if len(problems.found) > before or first is None or last is None:
        return
    if first > last:
        problems.add("csv", line, f"the table {name!r}: {first} is after {last}", "exchange the two days")
        return
    new = Span(first, last, Marked(row["code"], line))
    others = spans.setdefault(row["word"], [])
    for other in others:
        if first <= other.last and other.first <= last:
            said = f"the table {name!r} has the word {row['word']!r} twice: line {other.code.line}{other}, here{new}"
            problems.add("duplicate-key", line, said, "keep one of them, or give each its days by `from` and `until`")
            return
    others.append(new)


def _day(text: str, otherwise: date, line: int, name: str, problems: Problems) -> date | None:
    if not text:
        return otherwise
    local = _LOCAL_DAY.fullmatch(text)
    try:
        return date(int(local[3]), int(local[2]), int(local[1])) if local else date.fromisoformat(text)
    except ValueError:
        problems.add("csv", line, f"the table {name!r}: {text!r} is no day", "write it like 2020-06-30")
        return None
