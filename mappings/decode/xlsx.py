"""XLSX, hostile or not, to a table: the header and the rows of one sheet, every cell as text.

Only the parts that say which sheet is which, the shared texts and the one sheet are unpacked, each to a bounded size,
and read by the decoder of XML that knows no entities; macros, formulas, links, pictures and styles are not looked at.
A formula is the value that the spreadsheet last showed.

A number is written as people write it: 1.0 is `1`, 4.2E-2 is `0.042`, to 15 digits, as many as a spreadsheet has. A day
or a time is a number there too, whatever its style: a mapping reads it with `date: excel`. What was typed as text stays
as it is, `0001` with its zeros.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from decimal import Decimal
from posixpath import join, normpath
from typing import NamedTuple

from lxml import etree

from mappings.decode import xml
from mappings.decode.csv import Line, Table
from mappings.decode.packed import SIGNS, Archive
from mappings.decode.source import MAX_PARTS
from schemas.errors import UndecodableError

ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA", "#CALC!"})
"""What a cell shows that has no value because something is wrong with its formula."""
NEVER_MADE = "#CALC!"
"""Stands for a formula whose value no spreadsheet has made yet."""
MAX_COLUMNS = 16_384
_LOCKED = b"\xd0\xcf\x11\xe0"
_PLACE = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7})")
_SPAN = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7}):([A-Za-z]{1,3})([0-9]{1,7})")
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,4})?")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class _Span(NamedTuple):
    """Cells that are merged; columns and rows from 1."""

    left: int
    top: int
    right: int
    bottom: int


def parse(body: bytes, *, sheet: str, header: int, limit: int) -> Table:
    """Header and rows; wholly empty rows are left out, the numbers of the others are the sheet's own.

    `sheet` is a name or a number from 1, "" the first one; `header` the number of the header's row, 0 the first row
    that has something. `limit` is the most bytes of the body, and of each part of it when unpacked.
    Raises: UndecodableError.
    """
    if len(body) > limit:
        raise UndecodableError(f"the body has {len(body):,} bytes, at most {limit:,} are read")
    if body.startswith(_LOCKED):
        raise UndecodableError(
            "an old .xls, or a workbook locked with a password — open it in Excel and save it as .xlsx, without one"
        )
    if not body.startswith(SIGNS):
        raise UndecodableError("the body is no XLSX, which is a ZIP archive — save it as “Excel Workbook (.xlsx)”")
    parts = _Parts(body, limit)
    name, root = parts.sheet(sheet)
    shared = parts.shared_texts()
    rows: dict[int, dict[int, str]] = {}
    for number, cells in _rows(root, shared):
        if number in rows:
            raise UndecodableError(f"the sheet {name!r} has the row {number} twice")
        rows[number] = cells
    numbers = sorted(number for number, cells in rows.items() if any(map(str.strip, cells.values())))
    if not numbers:
        raise UndecodableError(f"the sheet {name!r} is empty, it has no header")
    at = header or numbers[0]
    if at not in rows or not any(map(str.strip, rows[at].values())):
        raise UndecodableError(f"the header is to be in row {at} of the sheet {name!r}, which is empty — mend `header`")
    spans = _spans(root)
    _fill_down(rows, numbers, [span for span in spans if span.top > at])
    below = [number for number in numbers if number > at]
    columns = _columns(rows, at, below, spans, name)
    if len(columns) * len(below) > MAX_PARTS:
        raise UndecodableError(f"the sheet {name!r} has more than {MAX_PARTS:,} cells")
    lines = [Line(number, tuple(rows[number].get(column, "") for column, _ in columns)) for number in below]
    return Table(tuple(title for _, title in columns), lines)


def sheets(body: bytes, *, limit: int) -> list[str]:
    """The names of a workbook's sheets, in their order. Raises: UndecodableError for what is no workbook."""
    if not body.startswith(SIGNS):
        parse(body, sheet="", header=0, limit=limit)  # says what it is instead
    return _Parts(body, limit).names


class _Parts:
    """The parts of a workbook, found by what they say of each other."""

    def __init__(self, body: bytes, limit: int) -> None:
        self._archive, self._limit = Archive(body), limit
        self._members = {member.name.lstrip("/").casefold(): member for member in self._archive.members}
        if "mimetype" in self._members and "content.xml" in self._members:
            raise UndecodableError("an OpenDocument file (.ods), not XLSX — save it as “Excel Workbook (.xlsx)”")
        found = [place for kind, place in self._related("").values() if kind == "officeDocument"]
        self._workbook = found[0] if found else "xl/workbook.xml"
        if not self._has(self._workbook):
            raise UndecodableError("the archive is no XLSX: it has no workbook — save it as “Excel Workbook (.xlsx)”")
        self._relations = self._related(self._workbook)

    def _has(self, place: str) -> bool:
        return place.casefold() in self._members

    def _read(self, place: str) -> etree._Element:
        member = self._members.get(place.casefold())
        if member is None:
            raise UndecodableError(f"the workbook lacks its part {place[:100]} — send it again")
        try:
            return xml.parse(self._archive.read(member, self._limit), None, limit=self._limit)
        except UndecodableError as error:
            raise UndecodableError(f"the part {place[:100]} of the workbook: {error}") from None

    def _related(self, place: str) -> dict[str, tuple[str, str]]:
        """By its id, the kind and the place of each part that one names; none where it names none."""
        folder, _, file = place.rpartition("/")
        names = join(folder, "_rels", f"{file}.rels")
        if not self._has(names):
            return {}
        found = {}
        for one in self._read(names):
            target = one.get("Target", "").replace("\\", "/")
            whole = target.lstrip("/") if target.startswith("/") else normpath(join(folder, target))
            found[one.get("Id", "")] = one.get("Type", "").rpartition("/")[2], whole
        return found

    @property
    def names(self) -> list[str]:
        return [one.get("name", "") for one in _sheets(self._read(self._workbook))]

    def sheet(self, wanted: str) -> tuple[str, etree._Element]:
        """The name of a sheet and what is in it; a name goes before a number."""
        root = self._read(self._workbook)
        for settings in _below(root, "workbookPr"):
            if settings.get("date1904", "").lower() in ("1", "true", "on"):
                raise UndecodableError(
                    "the workbook counts its days from 1904, so every date would be four years off — "
                    "switch off “Use 1904 date system” in Excel's options and save it again"
                )
        sheets = _sheets(root)
        names = [one.get("name", "") for one in sheets]
        index = 0
        if wanted in names:
            index = names.index(wanted)
        elif wanted:
            index = int(wanted) - 1 if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else -1
        if not 0 <= index < len(sheets):
            has = ", ".join(repr(name[:40]) for name in names[:20]) or "none"
            raise UndecodableError(f"there is no sheet {wanted or 1!r}; the workbook has {has} — mend `sheet`")
        id_ = next((value for key, value in sheets[index].attrib.items() if str(key).endswith("}id")), "")
        kind, place = self._relations.get(str(id_), ("worksheet", f"xl/worksheets/sheet{index + 1}.xml"))
        if kind != "worksheet":
            raise UndecodableError(f"the sheet {names[index]!r} is no table but a {kind[:40]} — mend `sheet`")
        return names[index], self._read(place)

    def shared_texts(self) -> list[str]:
        places = [place for kind, place in self._relations.values() if kind == "sharedStrings"]
        if not places:
            places = [place for place in ("xl/sharedStrings.xml",) if self._has(place)]
        return [_text(one) for one in _below(self._read(places[0]), "si")] if places else []


def _sheets(workbook: etree._Element) -> list[etree._Element]:
    return [one for sheets in _below(workbook, "sheets") for one in _below(sheets, "sheet")]


def _rows(root: etree._Element, shared: list[str]) -> Iterator[tuple[int, dict[int, str]]]:
    number = 0
    for row in (one for data in _below(root, "sheetData") for one in _below(data, "row")):
        said = row.get("r", "")
        number = int(said) if said.isascii() and said.isdigit() and len(said) <= 7 else number + 1
        cells: dict[int, str] = {}
        column = 0
        for cell in _below(row, "c"):
            place = _PLACE.fullmatch(cell.get("r", ""))
            column = _column(place[1]) if place is not None else column + 1
            if column > MAX_COLUMNS or column in cells:
                raise UndecodableError(f"row {number} has the column {_letters(column)}, which cannot be, or twice")
            cells[column] = _value(cell, shared, number, column)
        yield number, cells


def _value(cell: etree._Element, shared: list[str], row: int, column: int) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(_text(one) for one in _below(cell, "is"))
    written = next((one.text or "" for one in _below(cell, "v")), None)
    if written is None or (kind == "n" and not written.strip()):
        return NEVER_MADE if _below(cell, "f") else ""
    if kind == "s":
        text = written.strip()
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(shared)):
            raise UndecodableError(f"the cell {_letters(column)}{row} has a text that the workbook does not have")
        return shared[int(text)]
    if kind == "n":
        return number(written.strip())
    if kind == "b":
        return "true" if written.strip() in ("1", "true") else "false"
    return _plain(written)


def number(text: str) -> str:
    """A number as people write it, at most 15 digits of it; what is none as it is."""
    if not _NUMBER.fullmatch(text):
        return text
    value = float(text)
    if value - value != 0:  # larger than any number
        return text
    written = format(Decimal(f"{value:.15g}"), "f")
    if "." in written:
        written = written.rstrip("0").removesuffix(".")
    return "0" if written == "-0" else written


def _text(item: etree._Element) -> str:
    """A text, whatever fonts its parts have; how it is read aloud (`rPh`) is no part of it."""
    found = []
    for one in item:
        name = _local(one)
        if name == "t":
            found.append(one.text or "")
        elif name == "r":
            found += [part.text or "" for part in _below(one, "t")]
    return _plain("".join(found))


def _plain(text: str) -> str:
    """Without the way in which a spreadsheet writes signs that XML cannot have: `_x000D_`."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda found: _sign(int(found[1], 16), found[0]), text)


def _sign(code: int, written: str) -> str:
    return written if code == 0 or 0xD800 <= code <= 0xDFFF or code >= 0xFFFE else chr(code)


def _spans(root: etree._Element) -> list[_Span]:
    found = []
    for one in (cell for cells in _below(root, "mergeCells") for cell in _below(cells, "mergeCell")):
        span = _SPAN.fullmatch(one.get("ref", ""))
        if span is not None:
            found.append(_Span(_column(span[1]), int(span[2]), _column(span[3]), int(span[4])))
    return found


def _fill_down(rows: dict[int, dict[int, str]], numbers: list[int], spans: list[_Span]) -> None:
    """Cells that are merged over several rows are the cell of each of them; sideways they are the first column's."""
    done = 0
    for span in spans:
        value = rows.get(span.top, {}).get(span.left, "")
        inside = numbers[bisect_left(numbers, span.top + 1) : bisect_right(numbers, span.bottom)] if value else []
        done += len(inside) + 1
        if done > MAX_PARTS:
            raise UndecodableError(f"more than {MAX_PARTS:,} cells of the sheet are merged")
        for row in inside:
            if not rows[row].get(span.left):
                rows[row][span.left] = value


def _columns(
    rows: dict[int, dict[int, str]], at: int, below: list[int], spans: list[_Span], sheet: str
) -> list[tuple[int, str]]:
    """Number and name of each column that has a name, or a value below the header: then its name is like `[D]`."""
    titles = {column: " ".join(text.split()) for column, text in rows[at].items() if text.strip()}
    for span in spans:
        # A name that stands over two rows of titles belongs to the row of the header as well.
        above = rows.get(span.top, {}).get(span.left, "")
        if span.top < at <= span.bottom and span.left not in titles and above.strip():
            titles[span.left] = " ".join(above.split())
    filled = {column for number in below for column, text in rows[number].items() if text.strip()}
    for column in filled - titles.keys():
        titles[column] = f"[{_letters(column)}]"
    seen: dict[str, int] = {}
    for column, title in sorted(titles.items()):
        if title in seen:
            places = f"{_letters(seen[title])} and {_letters(column)}"
            raise UndecodableError(f"the sheet {sheet!r} has two columns {title[:100]!r}, {places} of row {at}")
        seen[title] = column
    return sorted(titles.items())


def _below(element: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in element if _local(child) == name]


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _letters(column: int) -> str:
    found = ""
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(65 + rest) + found
    return found
