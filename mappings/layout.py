"""The form of a payload: JSON with objects inside, XML, a form or a query. Pure.

to: {portal: json}                                 `ChuHoSo.Ten` is the member Ten of the object ChuHoSo
to: {portal: xml, root: s:HoSo, namespaces: {s: "urn:x"}}     `ChuHoSo/Ten` an element in another, `@loai` an attribute
to: {portal: form}                                 application/x-www-form-urlencoded
to: {portal: query}                                the same pairs, to stand behind the `?` of an address

A payload is a mapping from the members' names to their values (for JSON nested as it is sent); `write` makes bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import urlencode

import orjson
from lxml import etree

from mappings.notation import Keys, Marked, Problems, nearest, text_of
from mappings.refusal import RefusalError
from mappings.shapes.json import steps

Portal: TypeAlias = Literal["json", "xml", "form", "query"]

PORTALS: Mapping[Portal, str] = {
    "json": "application/json",
    "xml": "application/xml",
    "form": "application/x-www-form-urlencoded",
    "query": "",
}
"""The forms of a payload with their media types; a query has none."""

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_QNAME = re.compile(r"(?:([^\W\d][\w.-]*):)?([^\W\d][\w.-]*)")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Layout:
    """What `to` says of the payload."""

    portal: Portal
    empty: str
    """What an absent value becomes: null, text or omit."""
    root: str = ""
    namespaces: tuple[tuple[str, str], ...] = ()

    @property
    def media(self) -> str:
        return PORTALS[self.portal]


PLAIN = Layout("json", "null")
"""What most portals take."""


def compile_layout(to: Marked, problems: Problems) -> Layout:
    """The layout; notes what is wrong with it."""
    keys = Keys(to, "'to'", problems)
    keys.need("portal", "write to: {portal: json}")
    portal: Any = keys.choice("portal", PORTALS, "json")
    empties = ("text", "omit") if portal in ("form", "query") else ("null", "text", "omit")
    empty = keys.choice("empty", empties, "null" if portal == "json" else "omit")
    if portal != "xml":
        keys.done()
        return Layout(portal, empty)
    keys.need("root", "name the root: root: HoSo")
    names = keys.get("namespaces")
    namespaces: tuple[tuple[str, str], ...] = ()
    if names is not None:
        declared = Keys(names, "'namespaces'", problems)
        namespaces = tuple((prefix, text_of(uri, f"the namespace {prefix!r}", problems)) for prefix, uri in declared)
        for prefix, uri in namespaces:
            if (prefix and not _QNAME.fullmatch(prefix)) or ":" in prefix or not uri or prefix.startswith("xml"):
                problems.add("namespace", names.line, f"{prefix!r}: {uri!r} declares no namespace", 'write s: "urn:x"')
        try:
            etree.Element("none", nsmap={prefix or "none": uri for prefix, uri in namespaces if uri})
        except ValueError as error:
            problems.add("namespace", names.line, f"'namespaces': {error}", 'write s: "urn:x"')
    root = keys.text("root")
    keys.done()
    layout = Layout("xml", empty, root, namespaces)
    if root:
        _tag(root, layout, keys.line, "'root'", problems)
    return layout


def place_of(member: str, layout: Layout, line: int, problems: Problems) -> tuple[str, ...]:
    """Where a member stands, from the outside to itself: names of objects, or tags of elements; an attribute's begins
    with @. Notes a name that cannot be one."""
    if layout.portal == "json":
        if "." not in member:
            return (member,)
        parts = steps(member)
        if parts is None or any(isinstance(part, int) for part in parts):
            mend = 'write ChuHoSo.Ten, "chu-ho-so".ten, or "a.b" for one name with a dot'
            problems.add("member", line, f"{member!r} names no member of an object", mend)
            return (member,)
        return tuple(map(str, parts))
    if layout.portal != "xml":
        return (member,)
    *above, last = member.split("/")
    tags = [_tag(name, layout, line, f"the member {member!r}", problems) for name in above]
    if last.startswith("@"):
        # A name without prefix is in no namespace where it is an attribute's.
        bare = Layout("xml", layout.empty, "", tuple(pair for pair in layout.namespaces if pair[0]))
        return (*tags, "@" + _tag(last[1:], bare, line, f"the member {member!r}", problems))
    return (*tags, _tag(last, layout, line, f"the member {member!r}", problems))


def check_places(places: Mapping[str, tuple[Sequence[str], int]], layout: Layout, problems: Problems) -> None:
    """Notes members that stand at one place, or inside another one that has a value itself."""
    taken: dict[tuple[str, ...], str] = {}
    for member, (place, line) in places.items():
        if tuple(place) in taken:
            said = f"the members {taken[tuple(place)]!r} and {member!r} are one"
            problems.add("member", line, said, "keep one of them")
        taken[tuple(place)] = member
    for member, (place, line) in places.items():
        for depth in range(1, len(place)):
            holder = taken.get(tuple(place[:depth]))
            if holder is not None and not (layout.portal == "xml" and place[depth].startswith("@")):
                said = f"the member {member!r} stands inside {holder!r}, which has a value itself"
                problems.add("member", line, said, "give one of them another name")
                break


def check_constant(value: Any, layout: Layout, what: str, line: int, problems: Problems) -> None:
    """Notes a constant that the form cannot carry."""
    if layout.portal == "json":
        return
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, dict | list) for item in items):
        said = f"{what}: {layout.portal} takes one value or a list of values"
        problems.add("member", line, said, "write each value as a member of its own")


def _tag(name: str, layout: Layout, line: int, what: str, problems: Problems) -> str:
    found = _QNAME.fullmatch(name)
    if found is None:
        problems.add(
            "member", line, f"{what}: {name!r} is no name in XML", "write names like HoSo, s:HoSo, ChuHoSo/@ma"
        )
        return name
    declared = dict(layout.namespaces)
    prefix = found[1] or ""
    if prefix and prefix not in declared:
        mend = nearest(prefix, declared) if any(declared) else f'write namespaces: {{{prefix}: "urn:…"}}'
        problems.add("namespace", line, f"{what}: the prefix {prefix!r} is not declared", mend)
    tag = f"{{{declared[prefix]}}}{found[2]}" if declared.get(prefix) else found[2]
    try:
        etree.QName(tag)
    except ValueError as error:
        problems.add("member", line, f"{what}: {error}", "write names like HoSo, s:HoSo, ChuHoSo/@ma")
    return tag


def for_xml(write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same, refusing what XML cannot carry."""

    def checked(scope: Any) -> Any:
        value = write(scope)
        if isinstance(value, str):
            odd = _NOT_XML.search(value)
            if odd:
                raise RefusalError(f"has the character U+{ord(odd[0]):04X}, which XML cannot carry")
        return value

    return checked


def nested(payload: Mapping[str, Any], places: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The members as objects in one another; `places` are those that stand in one."""
    made: dict[str, Any] = {}
    for name, value in payload.items():
        *above, last = places.get(name) or (name,)
        inside = made
        for part in above:
            inside = inside.setdefault(part, {})
        inside[last] = value
    return made


def write(layout: Layout, payload: Mapping[str, Any], places: Mapping[str, Sequence[str]]) -> bytes:
    """The bytes to send. JSON is written as it is; the others by the members' places, in the order of the payload."""
    if layout.portal == "json":
        return orjson.dumps(payload)
    if layout.portal == "xml":
        return _xml(layout, payload, places)
    pairs = [
        (name, _text(item))
        for name, value in payload.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]
    return urlencode(pairs).encode("ascii")


def _xml(layout: Layout, payload: Mapping[str, Any], places: Mapping[str, Sequence[str]]) -> bytes:
    namespaces: dict[str | None, str] = {prefix or None: uri for prefix, uri in layout.namespaces}
    if layout.empty == "null":
        namespaces.setdefault("xsi", _XSI)
    prefix, _, name = layout.root.rpartition(":")
    uri = namespaces.get(prefix or None)
    root = etree.Element(f"{{{uri}}}{name}" if uri else name, nsmap=cast(Any, namespaces))
    made: dict[tuple[str, ...], etree._Element] = {(): root}

    def element(place: tuple[str, ...]) -> etree._Element:
        if place not in made:
            made[place] = etree.SubElement(element(place[:-1]), place[-1])
        return made[place]

    for member, value in payload.items():
        *above, last = places.get(member) or (member,)
        if last.startswith("@"):
            if value is not None:
                element(tuple(above)).set(last[1:], _text(value))
            continue
        for number, item in enumerate(value if isinstance(value, list) else [value]):
            place = (*above, last)
            one = element(place) if number == 0 else etree.SubElement(element(tuple(above)), last)
            if item is None:
                one.set(f"{{{_XSI}}}nil", "true")
            else:
                one.text = _text(item)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
