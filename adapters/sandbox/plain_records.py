"""Reads what a client of a plain portal sent: records out of JSON, XML, a form or a query, with or without a wrapper.

A record is an object: JSON as it came; an XML element as its children by local names (text where it has none, its
attributes as `@name`, several of one name as a list); pairs by name. Pure; it knows no hub and no mapping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote

import orjson
from lxml import etree

HOLE = "{records}"
_MARK = "twin-mark"


def form_of(content_type: str) -> str:
    """json, xml or form, by the media type; empty where it is none of them."""
    media = content_type.partition(";")[0].strip().lower()
    if media == "application/x-www-form-urlencoded":
        return "form"
    return next((form for form in ("json", "xml") if media.endswith(("/" + form, "+" + form))), "")


def records(content: bytes, form: str, wrap: str | None = None) -> list[dict[str, Any]]:
    """The records of one request. Raises: ValueError for what is not of that form, or has another wrapper."""
    if form in ("form", "query"):
        return [_pairs(content)]
    if form == "json":
        found = orjson.loads(content)
        listed = [found] if wrap is None else _in_json(found, orjson.loads(wrap.replace(HOLE, f'"{_MARK}"')))
        if not all(isinstance(one, dict) for one in listed):
            raise ValueError("a record is an object")
        return listed
    root = _tree(content)
    if wrap is None:
        return [{"": (root.text or "").strip()} if not len(root) and not root.attrib else _object(root)]
    return [_object(one) for one in _in_xml(root, _tree(wrap.replace(HOLE, f"<{_MARK}/>").encode()))]


def one(content: bytes, form: str) -> Mapping[str, Any]:
    """The record of a request that carries one, without a wrapper. Raises: ValueError."""
    return records(content, form)[0]


def at(record: object, steps: Sequence[str]) -> str:
    """The text at these steps into a record, empty where there is none."""
    for step in steps:
        attribute, name = step[:1] == "@", step.rpartition("}")[2].lstrip("@")
        record = record.get(f"@{name}" if attribute else name) if isinstance(record, Mapping) else None
    if isinstance(record, Mapping):
        record = record.get("")
    return str(record) if isinstance(record, str | int) and not isinstance(record, bool) else ""


def written(body: Mapping[str, Any], form: str) -> bytes:
    """An answer as JSON, or as XML below an element of the portal's own."""
    if form != "xml":
        return orjson.dumps(body)
    root = etree.Element("TraLoi")
    _append(root, body)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _append(parent: etree._Element, value: Any) -> None:
    if isinstance(value, Mapping):
        for name, inside in value.items():
            for item in inside if isinstance(inside, list) else [inside]:
                _append(etree.SubElement(parent, name), item)
    else:
        parent.text = "" if value is None else str(value)


def _pairs(content: bytes) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in parse_qsl(content.decode("ascii"), keep_blank_values=True):
        if name not in made:
            made[name] = value
        else:
            made[name] = [*(made[name] if isinstance(made[name], list) else [made[name]]), value]
    return made


def _in_json(found: Any, wrap: Any) -> list[Any]:
    """What stands where the mark stands in the wrapper."""
    if wrap == _MARK:
        return [found]
    if isinstance(wrap, list):
        here = wrap.index(_MARK) if _MARK in wrap else -1
        if not isinstance(found, list):
            raise ValueError("a list is expected")
        if here >= 0:
            return found[here : len(found) - (len(wrap) - here - 1)]
        return next((got for a, b in zip(found, wrap, strict=False) if (got := _in_json(a, b))), [])
    if isinstance(wrap, dict):
        if not isinstance(found, dict) or set(found) != set(wrap):
            raise ValueError(f"an object with {', '.join(wrap)} is expected")
        return [item for name in wrap for item in _in_json(found[name], wrap[name])]
    return []


def _in_xml(found: etree._Element, wrap: etree._Element) -> list[etree._Element]:
    if found.tag != wrap.tag:
        raise ValueError(f"{wrap.tag} is expected, found {found.tag}")
    inside = list(wrap)
    here = next((at for at, child in enumerate(inside) if child.tag == _MARK), None)
    if here is not None:
        return list(found)[here : len(found) - (len(inside) - here - 1)]
    if len(found) != len(inside):
        raise ValueError(f"{wrap.tag} has {len(found)} elements, {len(inside)} are expected")
    return [one for a, b in zip(found, inside, strict=True) for one in _in_xml(a, b)]


def _tree(content: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(content.lstrip(), parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"no XML: {error}") from None


def _object(element: etree._Element) -> dict[str, Any]:
    made: dict[str, Any] = {f"@{etree.QName(name).localname}": value for name, value in element.attrib.items()}
    for child in element:
        name = etree.QName(child).localname
        value: Any = _object(child) if len(child) or child.attrib else child.text or ""
        if name not in made:
            made[name] = value
        else:
            made[name] = [*(made[name] if isinstance(made[name], list) else [made[name]]), value]
    if not len(element) and element.text:
        made[""] = element.text
    return made


def encoded(text: str) -> str:
    return quote(text, safe="")
