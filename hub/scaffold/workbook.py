"""A workbook (XLSX) of one sheet, written part by part: what an anonymised recording of a spreadsheet is.

Only what the decoder of mappings reads back: values in their cells, no styles. The same rows give the same bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from mappings.decode.xlsx import ERRORS, number

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PLAIN = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_NOT_XML = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MADE = (2026, 1, 1, 0, 0, 0)


def workbook(sheet: str, rows: Sequence[Sequence[str]], *, first: int = 1) -> bytes:
    """The bytes; `rows` begin in the row `first`, an empty text is no cell, and what is written as a number is one."""
    lines = []
    for at, row in enumerate(rows, start=first):
        cells = "".join(_cell(text, f"{_letters(column)}{at}") for column, text in enumerate(row, start=1) if text)
        lines.append(f'<row r="{at}">{cells}</row>')
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        f'<sheet name={quoteattr(sheet)} sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(zipfile.ZipInfo(name, _MADE), _HEAD + content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _cell(text: str, place: str) -> str:
    if text in ERRORS:
        return f'<c r="{place}" t="e"><v>{text}</v></c>'
    if _PLAIN.fullmatch(text) and number(text) == text:
        return f'<c r="{place}"><v>{text}</v></c>'
    # Signs that XML cannot have are written as a spreadsheet writes them, and so is what looks like one.
    safe = _NOT_XML.sub(lambda found: f"_x{ord(found[0]):04X}_", re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text))
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(safe)}</t></is></c>'


def _letters(column: int) -> str:
    found = ""
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(65 + rest) + found
    return found
