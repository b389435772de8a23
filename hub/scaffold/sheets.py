"""Where the rows of a workbook are: which of its sheets hold tables, and in which row the columns are named.

Above a table stand titles ("DANH SÁCH HỒ SƠ", "Tháng 3/2026") as often as not, so of the first rows the one is taken
whose cells are the names that systems give to fields, else the one with the most names.
"""

from __future__ import annotations

from collections.abc import Iterator

from hub.scaffold.names import count_known
from mappings.decode import SourceSpec, xlsx
from mappings.decode.csv import Table
from mappings.decode.source import MAX_BYTES
from schemas.errors import UndecodableError

MOST_SHEETS = 20
LOOKED_AT = 20
"""So many rows of a sheet may be the one that names its columns."""
_TRIES = 5


def tables(body: bytes) -> Iterator[tuple[SourceSpec, str, int, int]]:
    """Of each sheet that holds a table: how a mapping reads it, its name, its rows, how many columns are known.

    Raises: UndecodableError for what is no workbook, or one of which no sheet can be read.
    """
    names = xlsx.sheets(body, limit=MAX_BYTES)
    refused: UndecodableError | None = None
    found = 0
    for number, name in enumerate(names[:MOST_SHEETS]):
        # Of one sheet alone the name may change from month to month.
        sheet = "" if len(names) == 1 else name or str(number + 1)
        try:
            header, table = _header(body, sheet)
        except UndecodableError as error:
            refused = refused or error
            continue
        found += 1
        yield SourceSpec("xlsx", sheet=sheet, header=header), name, len(table.lines), count_known(_named(table.header))
    if not found:
        raise refused or UndecodableError("the workbook has no sheet — give one with a table")


def _header(body: bytes, sheet: str) -> tuple[int, Table]:
    """The number of the row that names the columns, 0 where it is the first that has something, and the table."""
    first: Table | None = None
    refused: UndecodableError | None = None
    for header in range(LOOKED_AT):
        # A title over two columns may stand there twice, so the first row need not be one that can name columns.
        try:
            first = xlsx.parse(body, sheet=sheet, header=header, limit=MAX_BYTES)
            break
        except UndecodableError as error:
            refused = refused or error
            if not any(why in str(error) for why in ("has two columns", "the header is to be")):
                break
    if first is None:
        raise refused or UndecodableError(f"the sheet {sheet!r} cannot be read")
    rows = [(header, _named(first.header))]
    rows += [(line.number, [cell for cell in line.cells if cell.strip()]) for line in first.lines[:LOOKED_AT]]
    likely = sorted(rows, key=lambda row: (-count_known(row[1]), -sum(map(_is_title, row[1])), row[0]))
    for number, _ in likely[:_TRIES]:
        if number == header:
            break
        try:
            return number, xlsx.parse(body, sheet=sheet, header=number, limit=MAX_BYTES)
        except UndecodableError:
            continue
    return header, first


def _named(header: tuple[str, ...]) -> list[str]:
    """The names that stand in the header: a column without one is called by its letter, `[D]`."""
    return [name for name in header if not (name.startswith("[") and name.endswith("]"))]


def _is_title(text: str) -> bool:
    return any(sign.isalpha() for sign in text) and len(text) <= 60
