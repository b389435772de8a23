"""A payload that a portal takes, as members of a mapping that writes it: JSON, XML, a form or a query.

A member is named as the mapping language names it: `ChuHoSo.Ten`, `s:ChuHoSo/@loai`, `ten_thu_tuc`. Of a list of
records the first is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any
from urllib.parse import parse_qsl

from lxml import etree

from hub.scaffold.sample import step
from mappings.decode import json, xml
from mappings.decode.charset import utf8
from mappings.decode.source import MAX_BYTES
from mappings.layout import PORTALS, Portal
from schemas.errors import ConfigError, Problem, UndecodableError

MOST_MEMBERS = 2000
_DEPTH = 6
_SUFFIXES: Mapping[str, Portal] = {".json": "json", ".xml": "xml", ".form": "form", ".query": "query"}
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_REQUEST = re.compile(r"(?:GET\s+)?(\S*\?\S*)(?:\s+HTTP/\S+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Payload:
    """What one request carries; a value is a scalar, or a list or an object that stands as a whole."""

    portal: Portal
    members: Mapping[str, Any]
    empty: str
    """What an absent value becomes: null, text or omit."""
    root: str = ""
    namespaces: Mapping[str, str] = field(default_factory=dict)

    @property
    def to(self) -> dict[str, Any]:
        """The block `to` of the mapping."""
        made: dict[str, Any] = {"portal": self.portal}
        if self.portal == "xml":
            made["root"] = self.root
        if self.namespaces:
            made["namespaces"] = dict(self.namespaces)
        return made


def last_name(member: str) -> str:
    """The name that says what a member is: the last of its path, without prefix and quotes."""
    return re.split(r"[./@:]", member.rstrip('"'))[-1] or member


def read(body: bytes, file: str, portal: str | None = None) -> Payload:
    """Read a payload; without `portal` its form is that of the file's name, else of its first sign.

    Raises: ConfigError where it cannot be read, or holds nothing that a record could fill.
    """
    if portal is not None and portal not in PORTALS:
        mend = f"use one of: {', '.join(PORTALS)}"
        raise ConfigError([Problem("wrong-format", f"--format {portal}: there is no such form", mend)])
    known = next((one for one in PORTALS if one == portal), _guessed(body, file))
    try:
        match known:
            case "json":
                made = _json(json.parse(body, None, limit=MAX_BYTES))
            case "xml":
                made = _Xml(xml.parse(body, None, limit=MAX_BYTES)).payload()
            case _:
                made = _pairs(utf8(body, None, limit=MAX_BYTES).decode(), known)
    except UndecodableError as error:
        mend = f"give the {known} of one request as the portal takes it; --format names another form"
        raise ConfigError([Problem("undecodable", str(error), mend, file)]) from None
    if not made.members:
        said = "holds no object with members" if known == "json" else f"holds no members as {known}"
        mend = f"give the {known.upper() if known in ('json', 'xml') else known} of one record as the portal takes it"
        raise ConfigError([Problem("no-payload", said, mend, file)])
    if len(made.members) > MOST_MEMBERS:
        said = f"has more than {MOST_MEMBERS:,} members"
        raise ConfigError([Problem("no-payload", said, "give the payload of one record", file)])
    return made


def _guessed(body: bytes, file: str) -> Portal:
    known = _SUFFIXES.get(PurePath(file).suffix.lower())
    if known is not None:
        return known
    start = body[:1000].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if start[:1] == b"<":
        return "xml"
    if start[:1] in (b"{", b"["):
        return "json"
    line = start.split(b"\n")[0].decode("utf-8", "replace").strip()
    return "query" if _REQUEST.fullmatch(line) else "form" if "=" in line else "json"


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json(found: Any) -> Payload:
    """The first object: itself, the first of a list, or what stands in the only list below it."""
    for _ in range(3):
        if isinstance(found, list) and found:
            found = found[0]
        elif isinstance(found, dict):
            lists = [item for item in found.values() if isinstance(item, list) and item and isinstance(item[0], dict)]
            scalars = sum(not isinstance(item, dict | list) for item in found.values())
            if len(lists) == 1 and scalars < len(lists[0][0]):
                found = lists[0]
    members = dict(_json_members(found, "", 0)) if isinstance(found, dict) else {}
    texts = sum(isinstance(value, str) for value in members.values())
    return Payload("json", members, "text" if texts * 2 >= len(members) else "null")


def _json_members(value: Mapping[str, Any], above: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Objects are gone into where every name in them can be part of a path."""
    for name, item in value.items():
        # A plain name is written as it is; inside an object, or with a dot in it, as part of a path.
        written = step(name) if above or "." in name or isinstance(item, dict) else name
        if written is None or not name:
            continue
        path = f"{above}.{written}" if above else written
        if isinstance(item, dict) and item and depth < _DEPTH:
            yield from _json_members(item, path, depth + 1)
        else:
            yield path if above or "." in name else name, item


# --- XML --------------------------------------------------------------------------------------------------------------


class _Xml:
    """One document whose names get the prefixes that the mapping declares."""

    def __init__(self, root: etree._Element) -> None:
        self._root = root
        elements = [one for one in root.iter() if isinstance(one.tag, str)]
        self._bare = any(etree.QName(one).namespace is None for one in elements)
        self.prefixes: dict[str, str] = {}
        for one in elements:
            self._declare(one, etree.QName(one).namespace, attribute=False)
            for name in one.attrib:
                self._declare(one, etree.QName(name).namespace, attribute=True)

    def payload(self) -> Payload:
        members: dict[str, Any] = {}
        for path, value in self._members(self._root, ""):
            members[path] = [] if path in members else value
        empty = "null" if any(value is None for value in members.values()) else "omit"
        empty = "text" if any(value == "" for value in members.values()) else empty
        namespaces = {prefix: uri for uri, prefix in self.prefixes.items()}
        return Payload("xml", members, empty, self._name(self._root.tag), namespaces)

    def _declare(self, element: etree._Element, uri: str | None, *, attribute: bool) -> None:
        if not uri or uri == _XSI or (uri in self.prefixes and (self.prefixes[uri] or not attribute)):
            return
        own = next((prefix for prefix, one in element.nsmap.items() if one == uri), None) or ""
        taken = {prefix for one, prefix in self.prefixes.items() if one != uri}
        # Without prefix only where every name is in that namespace: the others would fall into it.
        if own in taken or own.startswith("xml") or (not own and (self._bare or attribute)):
            own = next(f"n{number}" for number in range(1, MOST_MEMBERS) if f"n{number}" not in taken)
        self.prefixes[uri] = own

    def _name(self, tag: Any) -> str:
        name = etree.QName(tag)
        prefix = self.prefixes.get(name.namespace or "", "")
        return f"{prefix}:{name.localname}" if prefix else name.localname

    def _members(self, element: etree._Element, above: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
        for name, value in element.attrib.items():
            if etree.QName(name).namespace != _XSI:
                yield f"{above}/@{self._name(name)}" if above else f"@{self._name(name)}", str(value)
        seen: set[str] = set()
        for child in element:
            path = f"{above}/{self._name(child.tag)}" if above else self._name(child.tag)
            if len(child):
                # Of records that stand beside each other the first is enough.
                if path not in seen and depth < _DEPTH * 2:
                    yield from self._members(child, path, depth + 1)
            else:
                nil = child.get(f"{{{_XSI}}}nil") in ("true", "1")
                yield path, None if nil else (child.text or "").strip()
                if path not in seen:
                    yield from self._members(child, path, depth + 1)
            seen.add(path)


# --- pairs ------------------------------------------------------------------------------------------------------------


def _pairs(text: str, portal: Portal) -> Payload:
    """Names and values of a form, or of what stands behind the `?`. Raises: UndecodableError."""
    line = text.strip()
    if portal == "query":
        asked = _REQUEST.fullmatch(line.splitlines()[0].strip()) if line else None
        line = (asked[1].partition("?")[2] if asked else line.removeprefix("?")).partition("#")[0]
    try:
        pairs = parse_qsl(
            line, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=MOST_MEMBERS
        )
    except (ValueError, UnicodeDecodeError) as error:
        raise UndecodableError(f"no names and values like a=1&b=2: {error}") from None
    members: dict[str, Any] = {}
    for name, value in pairs:
        members[name] = [] if name in members else value.strip()
    return Payload(portal, members, "text" if "" in members.values() else "omit")
