"""A .NET DataSet as it travels (a diffgram) to the rows of one of its tables.

    <… >
      <xs:schema id="NewDataSet">…</xs:schema>                   what the tables look like
      <diffgr:diffgram>
        <NewDataSet> <Table diffgr:id="Table1" …>…</Table> … </NewDataSet>    the rows as they are now
        <diffgr:before> … </diffgr:before>                       as they were; here alone stand rows that were deleted
        <diffgr:errors> … </diffgr:errors>
      </diffgr:diffgram>
    </…>

Rows are read as they are now, changed and inserted ones like any other; a row that was deleted is none of them. Names
fit whatever their namespace. The bookkeeping of the DataSet (`diffgr:id`, `msdata:rowOrder`, `diffgr:hasChanges`) is
taken off the rows, so that a row that only moved is the same row.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from schemas.errors import UndecodableError

_BOOKKEEPING = "{urn:schemas-microsoft-com:xml-"
_BESIDE = {"before", "errors"}
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
MOST_NAMES = 20


def diffgrams(root: etree._Element) -> list[etree._Element]:
    """The DataSets at or below an element, none being inside another."""
    found, waiting = [], [root]
    while waiting:
        element = waiting.pop()
        if _local(element) == "diffgram":
            found.append(element)
        else:
            waiting.extend(element)
    return found


def rows(diffgram: etree._Element, table: str) -> list[etree._Element]:
    """The current rows of a table, which may be none. Changes the tree: bookkeeping is taken off the rows.

    Raises: UndecodableError for a DataSet that has no such table: by its schema or, where it came without one, by the
    rows of other tables.
    """
    held = [child for child in diffgram if _local(child) not in _BESIDE]
    if len(held) > 1:
        raise UndecodableError(f"the diffgram holds {len(held)} DataSets, one is expected")
    there = list(held[0]) if held else []
    found = [row for row in there if _named(row, table)]
    now = [row for row in found if not _deleted(row)]
    if not found:
        declared = _declared(diffgram)
        known = declared or list(dict.fromkeys(_local(row) for row in there))
        if known and not any(table in (name, _unescaped(name)) for name in known):
            has = ", ".join(name[:60] for name in known[:MOST_NAMES])
            raise UndecodableError(f"the DataSet has no table {table!r}; it has {has} — mend `dataset`")
    for row in now:
        for element in row.iter():
            for name in [str(name) for name in element.attrib if str(name).startswith(_BOOKKEEPING)]:
                del element.attrib[name]
    return now


def _declared(diffgram: etree._Element) -> list[str]:
    """The names of the tables in the schema that came with the DataSet, without that of the DataSet; none without."""
    above = diffgram.getparent()
    schemas: list[Any] = [] if above is None else [one for one in above if _local(one) == "schema"]
    found: dict[str, None] = {}
    for schema in schemas:
        for whole in (child for child in schema if _local(child) == "element"):
            inside = [one for one in whole.iter() if one is not whole and _local(one) == "element"]
            # A table is an element that has columns, which are elements (or attributes) themselves.
            for one in inside if _is_dataset(whole) else [whole, *inside]:
                parts = (_local(part) for part in one.iter() if part is not one)
                if one.get("ref") or any(part in ("element", "attribute") for part in parts):
                    found[one.get("name") or one.get("ref", "").rpartition(":")[2]] = None
    return list(found)


def _is_dataset(element: etree._Element) -> bool:
    return any(str(name).endswith("}IsDataSet") and value == "true" for name, value in element.attrib.items())


def _deleted(row: etree._Element) -> bool:
    # .NET shows such a row in `before` alone; others that write diffgrams mark it where it stands.
    return any(str(name).endswith("}hasChanges") and value == "deleted" for name, value in row.attrib.items())


def _named(row: etree._Element, table: str) -> bool:
    name = _local(row)
    return name == table or ("_x" in name and _unescaped(name) == table)


def _unescaped(name: str) -> str:
    """A name as the database has it: `Ho_x0020_so` is `Ho so`."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), name)


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]
