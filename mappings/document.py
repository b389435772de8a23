"""From the bytes of one arrival to its rows: decode, look for an error inside, unwrap, find the rows.

A body whose shape is not the declared one is refused whole: an error page, a renamed container or a renamed row would
else read as "no rows" and lose what was sent.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from threading import Lock
from typing import Any, TypeAlias

from lxml import etree

from mappings.decode import ErrorSign, SourceSpec, Unwrap, csv, dataset, json, xlsx, xml
from mappings.decode.charset import of_text
from mappings.refusal import RefusalError
from mappings.rows import shown
from mappings.shapes import Shape, shape_of
from mappings.shapes import json as json_path
from mappings.shapes import xml as xml_path
from mappings.shapes.csv import CsvRow
from mappings.shapes.path import PathError
from schemas.errors import UndecodableError

Finder: TypeAlias = Callable[[Any], list[Any]]
"""From a document (or a container) to what stands at a path, nothing found being an empty list."""

_AHEAD, _AHEAD_BYTES = 4, 8 << 20
_SMALL = 5
"""Elements of a document that is short enough to be an error message worth quoting."""


class Document:
    """The rows of one decoded body; views are made once, for every mapping that reads it."""

    def __init__(
        self,
        shape: Shape,
        rows: Sequence[Any],
        place: Callable[[int], str],
        columns: Sequence[str] | None,
        roots: Sequence[Any] = (),
    ) -> None:
        self.shape, self.rows, self.place, self.columns = shape, rows, place, columns
        self.roots = roots
        """The documents that were read one inside the other, the outermost first; none for a table."""
        self.around: dict[tuple[str, str, str], Any] = {}
        """What mappings found around the rows, or the RefusalError of it, by what they call it."""
        self._views: list[Any] = [None] * len(rows)

    def view(self, index: int) -> Any:
        """The view of a row. Raises: RefusalError."""
        view = self._views[index]
        if view is None:
            view = self._views[index] = self.shape.view(self.rows[index])
        return view


def xml_finder(path: str, namespaces: Sequence[tuple[str, str]]) -> Finder:
    """Elements (or texts) at a path of a whole document: `/A/B` and `A/B` (below the root) by local name, else XPath.

    Raises: PathError.
    """
    parts = xml_path.simple(path.removeprefix("/")) if path not in ("", "/", ".") else ((), "")
    if parts is None or parts[1] or path.startswith("//"):
        return _xpath_finder(xml_path.expression(path, dict(namespaces)))
    names, absolute = parts[0], path.startswith("/")

    def find(root: Any) -> list[Any]:
        level = [root]
        for depth, name in enumerate(names):
            if not (absolute and depth == 0):
                level = [child for element in level for child in element]
            level = [element for element in level if xml_path.local(element) == name]
        return level

    return find


def _xpath_finder(compiled: etree.XPath) -> Finder:
    def find(root: Any) -> list[Any]:
        found = compiled(root)
        return found if isinstance(found, list) else [found]

    return find


def json_finder(path: str) -> Finder:
    """The value at a path, "" being the whole document. Raises: PathError."""
    look = json_path.finder(path) if path else lambda root: root

    def find(root: Any) -> list[Any]:
        try:
            found = look(root)
        except RefusalError:
            return []
        return [] if found is None else [found]

    return find


def finder(path: str, holds: str, namespaces: Sequence[tuple[str, str]]) -> Finder:
    """The finder of a format. Raises: PathError."""
    return xml_finder(path, namespaces) if holds == "xml" else json_finder(path)


class Decoder:
    """Decodes bodies of one spec; safe to share between threads."""

    def __init__(self, decode: Callable[[bytes, str | None], Document]) -> None:
        self._decode = decode
        self._ahead: OrderedDict[int, tuple[bytes, str | None, Document]] = OrderedDict()
        self._lock = Lock()

    def __call__(self, body: bytes, charset: str | None) -> Document:
        """The document. Raises: UndecodableError."""
        with self._lock:
            kept = self._ahead.pop(id(body), None)
        # The bytes that are kept are alive, so an equal id is the same object.
        return kept[2] if kept is not None and kept[1] == charset else self._decode(body, charset)

    def ahead(self, body: bytes, charset: str | None) -> Document:
        """As a call, for a source that looks into a page before a mapping does: the next call for this very object
        gets the same document, which is then forgotten; so are all but the latest few, and large ones at once."""
        document = self._decode(body, charset)
        if len(body) <= _AHEAD_BYTES:
            with self._lock:
                self._ahead[id(body)] = (body, charset, document)
                while len(self._ahead) > _AHEAD:
                    self._ahead.popitem(last=False)
        return document


@lru_cache(maxsize=256)
def decoder(spec: SourceSpec) -> Decoder:
    """The compiled decoder of a source, one for all equal ones. Raises: PathError."""
    shape = shape_of(spec)
    if spec.format == "csv":
        return Decoder(lambda body, charset: _csv_document(spec, shape, body, charset))
    if spec.format == "xlsx":
        return Decoder(lambda body, charset: _xlsx_document(spec, shape, body))
    error = _error_check(spec.error, spec) if spec.error else None
    unwraps = []
    holds: str = spec.format
    for unwrap in spec.unwrap:
        unwraps.append((unwrap, finder(unwrap.path, holds, spec.namespaces)))
        holds = unwrap.holds
    rows_of = _json_rows(spec) if holds == "json" else _dataset_rows(spec) if spec.dataset else _xml_rows(spec)

    def decode(body: bytes, charset: str | None) -> Document:
        read = xml.parse if spec.format == "xml" else json.parse
        root: Any = read(body, charset, own=spec.charset, limit=spec.max_bytes)
        roots = [root]
        if error is not None:
            error(root)
        for unwrap, find in unwraps:
            text = _text_at(find, unwrap.path, root)
            if unwrap.empty_is_none and not text.strip():
                return Document(shape, [], _nowhere, None)
            root = _unwrapped(unwrap, text, spec)
            roots.append(root)
        rows, place = rows_of(root)
        return Document(shape, rows, place, None, roots)

    return Decoder(decode)


def _nowhere(index: int) -> str:
    return ""


def _csv_document(spec: SourceSpec, shape: Shape, body: bytes, charset: str | None) -> Document:
    table = csv.parse(body, charset, own=spec.charset, delimiter=spec.delimiter, quote=spec.quote, limit=spec.max_bytes)
    rows = [CsvRow(table.header, line) for line in table.lines]
    return Document(shape, rows, lambda index: f"line {rows[index].line.number}", table.header)


def _xlsx_document(spec: SourceSpec, shape: Shape, body: bytes) -> Document:
    table = xlsx.parse(body, sheet=spec.sheet, header=spec.header, limit=spec.max_bytes)
    rows = [CsvRow(table.header, line) for line in table.lines]
    return Document(shape, rows, lambda index: f"row {rows[index].line.number}", table.header)


def _error_check(sign: ErrorSign, spec: SourceSpec) -> Callable[[Any], None]:
    find = finder(sign.path, spec.format, spec.namespaces)
    say = finder(sign.text, spec.format, spec.namespaces) if sign.text else None

    def check(root: Any) -> None:
        for found in find(root):
            value = _plain(found)
            if value not in sign.ok and (sign.ok or value):
                said = "; ".join(_plain(part) for part in say(root)) if say else ""
                raise UndecodableError(
                    f"the answer is an error: {sign.path} is {shown(value)!r}{said and ': ' + shown(said)}"
                )

    return check


def _plain(found: Any) -> str:
    if isinstance(found, etree._Element):
        return "".join(map(str, found.itertext())).strip()
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found).strip()


def _text_at(find: Finder, path: str, root: Any) -> str:
    found = find(root)
    if len(found) != 1:
        raise UndecodableError(_lost(path, found, root))
    value = found[0]
    if isinstance(value, etree._Element):
        if len(value):
            raise UndecodableError(f"{path} holds <{xml_path.local(value[0])}> itself, not a text to unwrap")
        return value.text or ""
    if not isinstance(value, str):
        raise UndecodableError(f"{path} is {json_path.kind(value)}, not a text to unwrap")
    return value


def _unwrapped(unwrap: Unwrap, text: str, spec: SourceSpec) -> Any:
    inner = text.strip()
    if inner.startswith("<![CDATA[") and inner.endswith("]]>"):
        inner = inner[9:-3]
    try:
        if not unwrap.base64:
            text_read = xml.parse_utf8 if unwrap.holds == "xml" else json.parse_utf8
            return text_read(of_text(inner, limit=spec.max_bytes))
        try:
            body = base64.b64decode("".join(inner.split()).encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise UndecodableError(f"not base64: {error}") from None
        read = xml.parse if unwrap.holds == "xml" else json.parse
        return read(body, None, limit=spec.max_bytes)
    except UndecodableError as error:
        raise UndecodableError(f"inside {unwrap.path}: {error}") from None


def _xml_rows(spec: SourceSpec) -> Callable[[Any], tuple[Sequence[Any], Callable[[int], str]]]:
    container = xml_finder(spec.within, spec.namespaces)
    parts = xml_path.simple(spec.each)
    if parts is not None and parts[1]:
        raise PathError(f"{spec.each!r} finds attributes, not rows")
    strict = parts[0] if parts is not None else None
    loose = _xpath_finder(xml_path.expression(spec.each, dict(spec.namespaces))) if strict is None else None

    def rows(root: Any) -> tuple[Sequence[Any], Callable[[int], str]]:
        found = container(root)
        if len(found) != 1 or not isinstance(found[0], etree._Element):
            raise UndecodableError(_lost(spec.within, found, root))
        level = found
        if loose is not None:
            level = loose(found[0])
            odd = next((child for child in found[0] if xml_path.local(child) not in spec.beside), None)
            if not level and odd is not None:
                raise UndecodableError(
                    f"no row at {spec.each}, but <{xml_path.local(odd)}> is there: the shape has changed"
                )
            if not all(isinstance(row, etree._Element) for row in level):
                raise UndecodableError(f"{spec.each} finds something else than elements")
        for name in strict or ():
            level = [child for element in level for child in element]
            for odd in level:
                if xml_path.local(odd) != name and xml_path.local(odd) not in spec.beside:
                    raise UndecodableError(
                        f"<{xml_path.local(odd)}> stands among the rows <{name}> of {spec.within or '/'}: "
                        "the shape has changed (list under `beside` what may stand there)"
                    )
            level = [element for element in level if xml_path.local(element) == name]
        return level, lambda index: f"{spec.each}[{index + 1}]"

    return rows


def _dataset_rows(spec: SourceSpec) -> Callable[[Any], tuple[Sequence[Any], Callable[[int], str]]]:
    container = xml_finder(spec.within, spec.namespaces) if spec.within else None

    def rows(root: Any) -> tuple[Sequence[Any], Callable[[int], str]]:
        place = root
        if container is not None:
            found = container(root)
            if len(found) != 1 or not isinstance(found[0], etree._Element):
                raise UndecodableError(_lost(spec.within, found, root))
            place = found[0]
        holding = dataset.diffgrams(place)
        if len(holding) != 1:
            if holding:
                raise UndecodableError(f"{len(holding)} DataSets are there — say which by `within`")
            raise UndecodableError(_lost("a DataSet (diffgram)", [], root))
        return dataset.rows(holding[0], spec.dataset), lambda index: f"{spec.dataset}[{index + 1}]"

    return rows


def _json_rows(spec: SourceSpec) -> Callable[[Any], tuple[Sequence[Any], Callable[[int], str]]]:
    container = json_finder(spec.within)

    def rows(root: Any) -> tuple[Sequence[Any], Callable[[int], str]]:
        found = container(root)
        if len(found) != 1:
            raise UndecodableError(_lost(spec.within, found, root))
        if spec.each == ".":
            return found, lambda index: spec.within or "the document"
        if not isinstance(found[0], list):
            raise UndecodableError(
                f"{spec.within or 'the document'} is {json_path.kind(found[0])}, a list of rows is expected"
            )
        return found[0], lambda index: f"{spec.within}[{index}]"

    return rows


def _lost(path: str, found: Sequence[Any], root: Any) -> str:
    """Say that a path did not lead to one place, and what is there instead, an error's text above all."""
    if found:
        return f"{path} stands {len(found)} times, so which one holds the rows is not certain"
    if isinstance(root, etree._Element):
        faults = [element for element in root.iter() if xml_path.local(element) == "Fault"]
        if faults:
            return f"the answer is a SOAP fault: {shown(' '.join(_plain(faults[0]).split()))}"
        small = sum(1 for _ in root.iter()) <= _SMALL
        said = " ".join(_plain(root).split()) if small else ""
        return f"{path or '/'} is not there; the document is <{xml_path.local(root)}>{said and ': ' + shown(said)}"
    if isinstance(root, dict):
        return f"{path} is not there; the document has the keys {shown(', '.join(sorted(root)) or 'none')}"
    return f"{path or 'the document'} is not there; the document is {json_path.kind(root)}"
