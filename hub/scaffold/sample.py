"""A recorded answer as far as it can be understood without being told: its format, where its rows are, what they hold.

    found = places(body, "answer.xml")             every list of rows there is, the likeliest first
    sample = read(body, found[0])                  its columns with their values

Decoding is that of the mappings, with its limits, so what is found here is what a mapping will find.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from lxml import etree

from hub.scaffold import sheets
from hub.scaffold.names import count_known as _known
from mappings.decode import SourceSpec, Unwrap, csv, json, xml
from mappings.decode.charset import of_text
from mappings.decode.packed import SIGNS
from mappings.decode.source import MAX_BYTES
from mappings.document import decoder
from mappings.inbound import tidy
from mappings.refusal import RefusalError
from mappings.shapes.path import PathError
from mappings.shapes.xml import local
from schemas.errors import ConfigError, Problem, UndecodableError

MAX_ROWS = 2000
"""Rows that are looked at."""
_LAYERS = 4
_PLACES = 100
_DEPTH = 4
_PLAIN_NAME = re.compile(r"[^\W\d]\w*")
_XML_NAME = re.compile(r"[^\W\d][\w.-]*")
_DELIMITERS = (";", ",", "\t", "|")
_SUFFIXES = {".xml": "xml", ".json": "json", ".csv": "csv", ".txt": "csv", ".tsv": "csv", ".xlsx": "xlsx"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows are: `spec` is what a mapping writes under `from`, `path` how people name the place."""

    spec: SourceSpec
    path: str
    count: int
    known: int
    """How many names of columns are those of a record's fields."""


@dataclass(frozen=True, slots=True)
class Column:
    """One path of a row and its values, row by row, None where it is absent or empty."""

    path: str
    name: str
    """The last name of the path."""
    values: tuple[Any, ...]

    @property
    def filled(self) -> list[Any]:
        return [value for value in self.values if value is not None]


@dataclass(frozen=True, slots=True)
class Sample:
    """A recorded answer, read."""

    place: Place
    rows: int
    columns: tuple[Column, ...]
    lists: Mapping[str, int]
    """Paths of rows inside the rows, with how many there are in all."""


def places(body: bytes, name: str, *, charset: str = "") -> list[Place]:
    """Every list of rows in a recorded answer, the likeliest first.

    Raises: ConfigError where it cannot be read, or holds no rows.
    """
    format_ = _format(body, name)
    try:
        match format_:
            case "csv":
                found = [_csv(body, charset)]
            case "xlsx":
                found = [Place(spec, path, count, known) for spec, path, count, known in sheets.tables(body)]
            case "json":
                root = json.parse(body, None, own=charset, limit=MAX_BYTES)
                found = list(_in_json(root, SourceSpec("json", charset=charset), 0))
            case _:
                tree = xml.parse(body, None, own=charset, limit=MAX_BYTES)
                found = list(_in_xml(tree, SourceSpec("xml", charset=charset), 0))
    except UndecodableError as error:
        text, _, mend = str(error).partition(" — ")
        encoding = "; --charset names another encoding" if format_ != "xlsx" else ""
        if format_ != "xlsx" and (likely_ := re.search(r"windows-(125[28])", text)):
            mend = f"--charset cp{likely_[1]} reads it so; or save it as UTF-8 (in Excel: CSV UTF-8)"
        mend = mend or f"give the bytes as the system sent them{encoding}"
        raise ConfigError([Problem("undecodable", text, mend, name)]) from None
    likely = sorted((place for place in found if place.count), key=_likelihood)[:_PLACES]
    good = [place for place in likely if _decodes(body, place)]
    if not good:
        said = f"no list of rows was found in this {format_.upper()}"
        if format_ == "xml" and local(tree) not in ("Envelope", "definitions"):
            said += f", which is <{local(tree)}>: {' '.join(' '.join(map(str, tree.itertext())).split())[:200]!r}"
        mend = "record an answer that has rows: the hub learns from what stands in them"
        raise ConfigError([Problem("no-rows", said, mend, name)])
    return good


def _likelihood(place: Place) -> tuple[int, int, int]:
    return (-place.known, -place.count, len(place.path))


def chosen(found: Sequence[Place], each: str | None, name: str) -> Place:
    """The place named by `each`, else the likeliest. Raises: ConfigError where nothing tells which one is meant."""
    listed = ", ".join(f"{place.path} ({place.count})" for place in found)
    if each is not None:
        for place in found:
            if place.path.strip("/") == each.strip("/"):
                return place
        said = f"there are no rows at {each!r}"
        raise ConfigError([Problem("no-rows", said, f"with their counts there are: {listed}", name)])
    first = found[0]
    if len(found) > 1 and found[1].known == first.known:
        said = f"rows stand in {len(found)} places, and their names do not tell which are meant: {listed}"
        raise ConfigError([Problem("several-lists", said, f"choose by --each, such as --each {first.path}", name)])
    return first


def read(body: bytes, place: Place) -> Sample:
    """The columns of the rows at a place that `places` found."""
    document = decoder(place.spec)(body, None)
    paths: dict[str, str] = {}
    lists: Counter[str] = Counter()
    rows = document.rows[:MAX_ROWS]
    for row in rows:
        for path, leaf, count in _leaves(row, place.spec.holds):
            if count is None:
                paths.setdefault(path, leaf)
            else:
                lists[path] += count
    columns = []
    for path, leaf in paths.items():
        if any(path == one or path.startswith((f"{one}/", f"{one}.", f"{one}[")) for one in lists):
            continue
        try:
            get = document.shape.getter(path)
        except PathError:
            continue
        columns.append(Column(path, leaf, tuple(_value(get, document, index) for index in range(len(rows)))))
    return Sample(place, len(document.rows), tuple(columns), dict(lists))


def _value(get: Callable[[Any], Any], document: Any, index: int) -> Any:
    try:
        value = get(document.view(index))
    except RefusalError:
        return None
    # As a mapping reads it: some systems send their text decomposed.
    return tidy(value) if isinstance(value, str) else value


def _decodes(body: bytes, place: Place) -> bool:
    """Whether a mapping would find these rows too: a place that it could not name is none."""
    try:
        return len(decoder(place.spec)(body, None).rows) == place.count
    except (UndecodableError, PathError):
        return False


def _format(body: bytes, name: str) -> str:
    known = _SUFFIXES.get(PurePath(name).suffix.lower())
    if known is not None:
        return known
    if body.startswith(SIGNS):
        return "xlsx"
    start = body[:64].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")[:1]
    return "xml" if start == b"<" else "json" if start in (b"{", b"[") else "csv"


# --- CSV --------------------------------------------------------------------------------------------------------------


def _csv(body: bytes, charset: str) -> Place:
    """Raises: UndecodableError."""
    first = next((line for line in body[:100_000].splitlines() if line.strip()), b"")
    delimiter = max(_DELIMITERS, key=lambda sign: first.count(sign.encode()))
    spec = SourceSpec("csv", delimiter=delimiter, charset=charset)
    table = csv.parse(body, None, own=charset, delimiter=delimiter, quote='"', limit=MAX_BYTES)
    return Place(spec, ".", len(table.lines), _known(table.header))


# --- JSON -------------------------------------------------------------------------------------------------------------


def step(name: str) -> str | None:
    """A key of an object as a path writes it; None for one that no path can name."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return f'"{name}"' if name and '"' not in name else None


def _in_json(root: Any, spec: SourceSpec, layer: int) -> Iterator[Place]:
    for path, value in _json_values(root, ""):
        if isinstance(value, list):
            rows = [row for row in value if isinstance(row, dict)]
            if rows and len(rows) == len(value):
                names = {name for row in rows[:MAX_ROWS] for name in row}
                yield Place(replace(spec, within=path), path or ".", len(rows), _known(sorted(names)))
        elif isinstance(value, dict):
            known = _known([name for name, item in value.items() if not isinstance(item, dict | list)])
            if known >= 3:
                yield Place(replace(spec, within=path, each="."), path or ".", 1, known)
        elif isinstance(value, str) and layer < _LAYERS and path:
            yield from _inside(value, path, spec, layer)


def _json_values(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Everything that stands at a path of names, the rows of lists left out."""
    yield path, value
    if isinstance(value, dict) and depth < 20:
        for name, item in value.items():
            written = step(name)
            if written is not None:
                yield from _json_values(item, f"{path}.{written}" if path else written, depth + 1)


# --- XML --------------------------------------------------------------------------------------------------------------


def _in_xml(root: etree._Element, spec: SourceSpec, layer: int) -> Iterator[Place]:
    elements = [element for element in root.iter() if isinstance(element.tag, str)]
    names = Counter(map(local, elements))
    paths = {element: _xml_path(element) for element in elements}
    frequency = Counter(paths.values())
    for element in elements:
        path = paths[element]
        if path is None or frequency[path] != 1:
            continue
        if len(element):
            yield from _rows_below(element, path, spec)
        elif element.text and layer < _LAYERS:
            once = names[local(element)] == 1
            place = f"//*[local-name()='{local(element)}']" if once and layer == 0 and path.count("/") > 1 else path
            yield from _inside(element.text, place, spec, layer)


def _rows_below(element: etree._Element, path: str, spec: SourceSpec) -> Iterator[Place]:
    children = [child for child in element if isinstance(child.tag, str)]
    counted = Counter(local(child) for child in children)
    for name, count in counted.items():
        rows = [child for child in children if local(child) == name]
        if not _XML_NAME.fullmatch(name) or not any(len(row) or row.attrib for row in rows):
            continue
        inside = {leaf for row in rows[:MAX_ROWS] for _, leaf, number in _xml_leaves(row, "") if number is None}
        beside = tuple(other for other in counted if other != name)
        known = _known(sorted(inside))
        # The only child of its kind is a row where it looks like one, else a part of the envelope.
        if count > 1 or known >= 3:
            yield Place(replace(spec, within=path, each=name, beside=beside), f"{path}/{name}", count, known)


def _xml_path(element: etree._Element) -> str | None:
    names = [local(element), *(local(above) for above in element.iterancestors())]
    return "/" + "/".join(reversed(names)) if all(map(_XML_NAME.fullmatch, names)) else None


# --- documents inside texts -------------------------------------------------------------------------------------------


def _inside(text: str, path: str, spec: SourceSpec, layer: int) -> Iterator[Place]:
    """The rows of a text that holds a document of its own, as it is or in base64."""
    for encoded, inner in ((False, text), (True, decoded(text))):
        holds = None if inner is None else _document_of(inner)
        if inner is None or holds is None:
            continue
        unwrap = Unwrap(path, "xml" if holds == "xml" else "json", base64=encoded)
        wrapped = replace(spec, unwrap=(*spec.unwrap, unwrap), within="", each="", beside=())
        try:
            body = of_text(inner, limit=MAX_BYTES)
            if holds == "xml":
                yield from _in_xml(xml.parse_utf8(body), wrapped, layer + 1)
            else:
                yield from _in_json(json.parse_utf8(body), wrapped, layer + 1)
        except UndecodableError:
            continue
        return


def _document_of(text: str) -> str | None:
    start = text.lstrip("\ufeff \t\r\n")[:1]
    return "xml" if start == "<" else "json" if start in ("{", "[") and start else None


def decoded(text: str) -> str | None:
    """The text that base64 holds, None where it is none."""
    packed = "".join(text.split())
    if len(packed) < 16 or len(packed) % 4 or not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", packed):
        return None
    try:
        return base64.b64decode(packed, validate=True).decode("utf-8-sig")
    except (binascii.Error, UnicodeDecodeError):
        return None


# --- rows -------------------------------------------------------------------------------------------------------------


def _leaves(row: Any, holds: str) -> Iterator[tuple[str, str, int | None]]:
    """Path and last name of each value of a row; for rows inside it their path and number."""
    if holds in ("csv", "xlsx"):
        yield from ((name, name, None) for name in row.header)
    elif holds == "json":
        yield from _json_leaves(row, "")
    else:
        yield from _xml_leaves(row, "")


def _json_leaves(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, str, int | None]]:
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        written = step(name)
        if written is None:
            continue
        below = f"{path}.{written}" if path else written
        if isinstance(item, dict) and depth < _DEPTH:
            yield from _json_leaves(item, below, depth + 1)
        elif isinstance(item, list):
            yield below, name, len(item)
        else:
            yield below, name, None


def _xml_leaves(element: etree._Element, path: str, depth: int = 0) -> Iterator[tuple[str, str, int | None]]:
    for name in map(str, element.attrib):
        plain = name.rpartition("}")[2]
        # An attribute with a namespace is the envelope's business: `diffgr:id`, `xsi:type`.
        if name[0] != "{" and _XML_NAME.fullmatch(plain):
            yield f"{path}/@{plain}" if path else f"@{plain}", plain, None
    children = [child for child in element if isinstance(child.tag, str)]
    counted = Counter(map(local, children))
    for child in children:
        name = local(child)
        if not _XML_NAME.fullmatch(name):
            continue
        below = f"{path}/{name}" if path else name
        rows = [part for part in child if isinstance(part.tag, str)]
        if counted[name] > 1:
            yield below, name, 1
        elif rows and len({local(part) for part in rows}) == 1 and (len(rows) > 1 or len(rows[0])):
            yield f"{below}/{local(rows[0])}", local(rows[0]), len(rows)
        elif rows and depth < _DEPTH:
            yield from _xml_leaves(child, below, depth + 1)
        elif not rows:
            yield below, name, None
            yield from ((p, n, c) for p, n, c in _xml_leaves(child, below, depth + 1) if c is None)
