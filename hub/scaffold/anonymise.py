"""A recorded answer without the people in it: the same bytes but for names, numbers, addresses and free text.

What stays is what the hub knows to be no person's: dates, codes and words of code lists, names of procedures and
agencies. Everything else is replaced by invented values of the same shape, the same value always by the same one, in
the order in which they come: nothing of the original can be computed from the result.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import normalize

from lxml import etree

from hub.scaffold import shapes
from hub.scaffold.names import fields_named
from hub.scaffold.sample import Sample, decoded, step
from hub.scaffold.workbook import workbook
from mappings.decode import csv as csv_decoder
from mappings.decode import json as json_decoder
from mappings.decode import xlsx as xlsx_decoder
from mappings.decode import xml as xml_decoder
from mappings.decode.charset import of_text
from mappings.decode.source import MAX_BYTES
from mappings.document import finder
from mappings.shapes.xml import local
from schemas.record import kind as kind_named
from schemas.sensitivity import Sensitivity, sensitivity

_FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Hồ", "Thạch", "Kim", "Võ")
_MIDDLE = ("Văn", "Thị", "Minh", "Ngọc", "Thanh", "Hữu")
_GIVEN = (
    "An",
    "Bình",
    "Chi",
    "Dung",
    "Giang",
    "Hoa",
    "Khánh",
    "Lan",
    "Mai",
    "Nam",
    "Oanh",
    "Phúc",
    "Quỳnh",
    "Sơn",
    "Tâm",
)
_FILLER = ("hồ", "sơ", "mẫu", "của", "người", "nộp", "đề", "nghị", "giải", "quyết", "theo", "quy", "định")
_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_SHORT = re.compile(r"[\w.-]{1,3}")
_LOG_IN = re.compile(r"token|session|password|matkhau|secret|username|taikhoan|apikey", re.IGNORECASE)


class Anonymiser:
    """Replaces values; remembers which stands for which."""

    def __init__(self, fields: Mapping[str, str] | None = None, kind: str = "dossier.v1", charset: str = "") -> None:
        """`fields`: by the path of a column the field of `kind` that the mapping fills from it.

        `charset` is what the result will be encoded in, so that nothing is invented that it cannot write.
        """
        self._charset = charset
        self._mapped = fields or {}
        self._kind = kind
        self._known: dict[tuple[str, str], str] = {}
        self._persons: dict[str, str] = {}

    def value(self, value: Any, name: str, path: str) -> Any:
        """What stands in place of a value at `path`, whose last name is `name`."""
        if value is None or isinstance(value, bool):
            return value
        text = str(value)
        what = self._what(normalize("NFC", text.strip()), name, path)
        if what == "kept" or not text.strip():
            return self.without_persons(text) if isinstance(value, str) else value
        made = self._made(what, text)
        if not isinstance(value, str):
            return type(value)(made) if made.isdecimal() else made
        return made

    def without_persons(self, text: str) -> str:
        """A text that is kept, without the names and numbers that were replaced elsewhere."""
        for person, made in self._persons.items():
            text = text.replace(person, made)
        return text

    def _what(self, text: str, name: str, path: str) -> str:
        mapped = self._mapped.get(path)
        if mapped is not None:
            return self._of(self._kind, mapped, text)
        named = list(fields_named(name))
        if named:
            # What is personal in any kind is personal here; what is none in another kind may be a person's here.
            found = [self._of(kind, field, text) for kind, field in named]
            personal = next((one for one in found if one != "kept"), None)
            if personal or any(_family(kind) == _family(self._kind) for kind, _ in named):
                return personal or "kept"
        if _LOG_IN.search(name):
            return "text"
        if shapes.dates([text]) is not None and not text.isdecimal():
            return "kept"
        if _SHORT.fullmatch(text):
            return "kept"
        return _shape(text)

    def _of(self, kind: str, field: str, text: str) -> str:
        if sensitivity(kind_named(kind), field) is not Sensitivity.PERSONAL:
            return "kept"
        by_field = {
            "applicant_name": "name", "person": "name", "signer_name": "name", "applicant_phone": "phone",
            "applicant_id": "digits", "applicant_email": "email", "applicant_address": "address",
        }  # fmt: skip
        return by_field.get(field, "text")

    def _made(self, what: str, text: str) -> str:
        known = self._known.get((what, text))
        if known is None:
            number = sum(kind == what for kind, _ in self._known)
            known = self._known[what, text] = writable(_invented(what, text, number), self._charset)
            if what in ("name", "phone", "digits", "email", "address") and len(text) >= 4:
                self._persons[text] = known
        return known


def writable(text: str, charset: str) -> str:
    """A text as an encoding can write it: with its tones apart for Windows-1258, else without them where need be."""
    if not charset or _encodable(text, charset):
        return text
    apart = "".join(sign if _encodable(sign, charset) else _tone_apart(sign) for sign in normalize("NFC", text))
    if _encodable(apart, charset):
        return apart
    plain = normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return plain.encode("ascii", "ignore").decode()


def _encodable(text: str, charset: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def _tone_apart(letter: str) -> str:
    """`ễ` as `ê` and a tilde: the form that Windows-1258 has."""
    apart = normalize("NFD", letter)
    base, marks = apart[0], apart[1:]
    tones = [mark for mark in marks if mark in _TONES]
    return normalize("NFC", base + "".join(mark for mark in marks if mark not in _TONES)) + "".join(tones)


def _family(kind: str) -> str:
    """`dossier` for a dossier and its steps, whose columns stand in one row."""
    return kind.partition(".")[0].partition("-")[0]


def _shape(text: str) -> str:
    if shapes.is_email([text]):
        return "email"
    if shapes.is_phone([text]):
        return "phone"
    if shapes.is_person([text]):
        return "name"
    if text.isdecimal():
        return "digits" if len(text) > 6 else "kept"
    return "text"


def _invented(what: str, text: str, number: int) -> str:
    match what:
        case "name":
            count = min(max(2, len(text.split())), 4)
            middle = [_MIDDLE[(number + place) % len(_MIDDLE)] for place in range(count - 2)]
            given = _GIVEN[number % len(_GIVEN)]
            made = " ".join([_FAMILY[number % len(_FAMILY)], *middle, given])
            made += "" if number < 120 else f" {number}"
            return made.upper() if text.isupper() else made
        case "phone" | "digits":
            return _digits(text, "0999" if what == "phone" else "999", number)
        case "email":
            return f"nguoi-nop-{number + 1}@example.vn"
        case "address":
            return f"Số {number + 1}, đường Mẫu, phường 1"
        case _:
            words = text.split()
            made = " ".join(_FILLER[(number + place) % len(_FILLER)] for place in range(len(words)))
            return made[:1].upper() + made[1:] if text[:1].isupper() else made


def _digits(text: str, begins: str, number: int) -> str:
    """Other digits in the same places; none begins so that was ever given to anybody."""
    count = sum(sign.isdigit() for sign in text)
    left = count - len(begins)
    digits = iter(f"{begins}{number + 1:0{left}d}" if left > 0 else f"{number + 1:0{count}d}")
    return "".join(next(digits, "0") if sign.isdigit() else sign for sign in text)


def anonymous(body: bytes, sample: Sample, fields: Mapping[str, str], kind: str, *, rows: int = 5) -> bytes:
    """The recorded answer with its first `rows` rows, without the people in them; UTF-8, or the mapping's encoding.

    `fields`: by the path of a column the field of `kind` that is made of it.
    """
    spec = sample.place.spec
    anonymiser = Anonymiser(fields, kind, spec.charset)
    if spec.format == "csv":
        return _csv(body, sample, anonymiser, rows)
    if spec.format == "xlsx":
        return _xlsx(body, sample, anonymiser, rows)
    # Twice: what stands before the name of a person in the document may repeat it.
    _tree(body, sample, anonymiser, rows)
    return _tree(body, sample, anonymiser, rows)


def _csv(body: bytes, sample: Sample, anonymiser: Anonymiser, rows: int) -> bytes:
    spec = sample.place.spec
    table = csv_decoder.parse(body, None, own=spec.charset, delimiter=spec.delimiter, quote=spec.quote, limit=MAX_BYTES)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=spec.delimiter, quotechar=spec.quote, lineterminator="\r\n")
    writer.writerows([list(table.header), *_cells(table, anonymiser, rows)])
    return out.getvalue().encode(spec.charset or "utf-8-sig", "replace")


def _xlsx(body: bytes, sample: Sample, anonymiser: Anonymiser, rows: int) -> bytes:
    """A workbook of the one sheet, its header in the row where the mapping looks for it."""
    spec = sample.place.spec
    table = xlsx_decoder.parse(body, sheet=spec.sheet, header=spec.header, limit=MAX_BYTES)
    # A column without a name stays `[D]`, as the mapping calls it, whatever its letter is now.
    cells = [list(table.header), *_cells(table, anonymiser, rows)]
    return workbook(sample.place.path, cells, first=spec.header or 1)


def _cells(table: csv_decoder.Table, anonymiser: Anonymiser, rows: int) -> list[list[str]]:
    """The first rows of a table with everything replaced; twice, since a row may repeat a name of a later one."""
    made: list[list[str]] = []
    for _ in range(2):
        made = [
            [
                cell if cell in xlsx_decoder.ERRORS else anonymiser.value(cell, name, name)
                for name, cell in zip(_columns(table.header, line.cells), line.cells, strict=True)
            ]
            for line in table.lines[:rows]
        ]
    return made


def _columns(names: Sequence[str], cells: Sequence[str]) -> list[str]:
    """The name of each cell's column; a line that is too long stays so, since its row is refused for it."""
    return [*names[: len(cells)], *[""] * (len(cells) - len(names))]


def _tree(body: bytes, sample: Sample, anonymiser: Anonymiser, rows: int) -> bytes:
    """Decode layer by layer, replace in the innermost first, and wrap again."""
    spec = sample.place.spec
    limit = MAX_BYTES
    read: Any = xml_decoder.parse if spec.format == "xml" else json_decoder.parse
    roots: list[tuple[str, Any]] = [(spec.format, read(body, None, own=spec.charset, limit=limit))]
    for unwrap in spec.unwrap:
        holds, root = roots[-1]
        [found] = finder(unwrap.path, holds, spec.namespaces)(root)
        text = found if isinstance(found, str) else "".join(map(str, found.itertext()))
        inner = (decoded(text) or "") if unwrap.base64 else text
        parsed = of_text(inner, limit=limit)
        roots.append((unwrap.holds, (xml_decoder if unwrap.holds == "xml" else json_decoder).parse_utf8(parsed)))
    _keep_first(roots[-1], sample, rows)
    inside = ""
    for layer in range(len(roots) - 1, -1, -1):
        holds, root = roots[layer]
        unwrapped = spec.unwrap[layer] if layer < len(spec.unwrap) else None
        if unwrapped is not None and unwrapped.base64:
            inside = base64.b64encode(inside.encode()).decode()
        if holds == "xml":
            place = None if unwrapped is None else finder(unwrapped.path, holds, spec.namespaces)(root)[0]
            _replace_xml(root, anonymiser, _rows_of(root, sample) if unwrapped is None else (), place, inside, "")
        else:
            root = _replaced_json(root, anonymiser, "", "", unwrapped.path if unwrapped else None, inside)
        roots[layer] = (holds, root)
        inside = _written(holds, root)
    text = _written(*roots[0], declared=True)
    return text.encode(spec.charset or "utf-8", "replace")


def _keep_first(root: tuple[str, Any], sample: Sample, rows: int) -> None:
    spec = sample.place.spec
    if root[0] == "xml":
        for extra in _rows_of(root[1], sample)[rows:]:
            above = extra.getparent()
            if above is not None and spec.each not in ("", "."):
                above.remove(extra)
    elif spec.each != ".":
        [found] = finder(spec.within, "json", ())(root[1])
        del found[rows:]


def _rows_of(root: etree._Element, sample: Sample) -> list[etree._Element]:
    spec = sample.place.spec
    [container] = finder(spec.within, "xml", spec.namespaces)(root)
    return [child for child in container if isinstance(child.tag, str) and local(child) == spec.each]


def _replace_xml(
    element: etree._Element,
    anonymiser: Anonymiser,
    rows: Sequence[etree._Element],
    place: Any,
    inside: str,
    path: str,
) -> None:
    """Replace in an element and below; `path` leads to it from its row."""
    if element is place:
        element.text = inside
        return
    name = local(element)
    if element.text and element.text.strip():
        element.text = anonymiser.value(element.text, name, path or name)
    if element.tail and element.tail.strip():
        element.tail = anonymiser.value(element.tail, "", "")
    for attribute, value in element.attrib.items():
        plain = str(attribute).rpartition("}")[2]
        if str(attribute)[0] != "{":
            element.set(attribute, anonymiser.value(value, plain, f"{path}/@{plain}" if path else f"@{plain}"))
    for child in element:
        if isinstance(child.tag, str):
            below = "" if child in rows else f"{path}/{local(child)}" if path else local(child)
            _replace_xml(child, anonymiser, rows, place, inside, below)


def _replaced_json(value: Any, anonymiser: Anonymiser, name: str, path: str, place: str | None, inside: str) -> Any:
    """A copy with everything replaced; `path` leads to the value from its row, or from the document above all rows."""
    if place is not None and path == place:
        return inside
    if isinstance(value, dict):
        made = {}
        for key, item in value.items():
            below = step(key) or ""
            below = f"{path}.{below}" if path and below else below
            made[key] = _replaced_json(item, anonymiser, key, below, place, inside)
        return made
    if isinstance(value, list):
        return [_replaced_json(item, anonymiser, name, "", None, inside) for item in value]
    return anonymiser.value(value, name, path)


def _written(holds: str, root: Any, *, declared: bool = False) -> str:
    if holds == "json":
        return (
            json.dumps(root, ensure_ascii=False, indent=2) + "\n" if declared else json.dumps(root, ensure_ascii=False)
        )
    text: str = etree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n' if declared else text
