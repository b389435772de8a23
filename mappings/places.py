"""Places in a row as parts, whatever the format: what a path of a mapping names, and what a row holds. Pure.

parts("QuaTrinh/Buoc/@ma", "xml")        ("QuaTrinh", "Buoc", "@ma")
parts("lien_he[0].email", "json")        ("lien_he", "email")
parts("SO_HO_SO", "csv")                 ("SO_HO_SO",)

A place in a list stands for all of them; an element, whatever its namespace, is its local name. A path that is more
than names (XPath with conditions or functions) has no parts: `names_in` says which names stand in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from lxml import etree

from mappings.shapes.xml import local, simple

Parts: TypeAlias = tuple[str, ...]

ITEM = "\ud800"
"""The part of a leaf that stands for every place in a list of JSON, written `[]`. No name that was decoded is it."""

_JSON_STEP = re.compile(r'(?:^|\.)(?:(?P<name>[^\W\d]\w*)|"(?P<quoted>[^"]+)")|\[(?:[0-9]{1,6}|\*)?\]')
_BARE = re.compile(r"[^\W\d]\w*")
_JSON_NAMES = re.compile(r"""'[^']*'|`[^`]*`|"(?P<quoted>[^"]+)"|(?P<name>[^\W\d]\w*+)(?!\()""")
_XML_NAMES = re.compile(
    r"""'[^']*'|"[^"]*"|(?P<attribute>@?)(?:[^\W\d][\w.-]*+:(?!:))?(?P<name>[^\W\d][\w.-]*+)(?!\(|::)"""
)


def parts(path: str, holds: str) -> Parts | None:
    """The names that a path goes through, without places in lists; None where it is more than names."""
    if holds == "xml":
        found = simple(path)
        if found is None:
            return None
        names, attribute = found
        return (*names, f"@{attribute}") if attribute else names
    if holds == "json":
        return _json_parts(path)
    return (path,)


def _json_parts(path: str) -> Parts | None:
    at, found = 0, []
    while at < len(path):
        step = _JSON_STEP.match(path, at)
        if step is None:
            return None
        name = step["name"] or step["quoted"]
        if name:
            found.append(name)
        at = step.end()
    return tuple(found) or None


def names_in(path: str, holds: str) -> frozenset[str]:
    """The names of elements, attributes (`@ma`) or members that stand in an expression; texts in quotes are none."""
    found = re.finditer(_XML_NAMES if holds == "xml" else _JSON_NAMES, path)
    if holds == "xml":
        return frozenset(f"{one['attribute']}{one['name']}" for one in found if one["name"])
    return frozenset(one["quoted"] or one["name"] for one in found if one["quoted"] or one["name"])


def bare(leaf: Parts) -> Parts:
    """A leaf as paths name it, without the places in lists."""
    return tuple(part for part in leaf if part != ITEM) if ITEM in leaf else leaf


def written(leaf: Parts, holds: str) -> str:
    """A leaf as people read it, and as `ignore` takes it: `NguoiNop/@loai`, `lien_he[].email`."""
    if holds == "xml":
        return "/".join(leaf) or "."
    if holds == "json":
        told = "".join("[]" if part == ITEM else f".{part}" if _BARE.fullmatch(part) else f'."{part}"' for part in leaf)
        return told.removeprefix(".") or "."
    return "/".join(leaf)


def leaves(row: Any, view: Any) -> Iterator[tuple[Parts, str | None]]:
    """Every place of a row that holds a value, or could, with the value as text; None for none.

    `row` is one of `Document.rows`, `view` its view. A place that stands there several times comes several times. An
    element, object or list without anything in it is a place without a value, since nobody can tell what would be in
    it.
    """
    if isinstance(row, etree._Element):
        yield from _of_element(row)
    elif isinstance(row, dict | list):
        yield from _of_json(row)
    else:
        yield from (((name,), value.strip() or None) for name, value in view.items() if isinstance(value, str))


def _of_element(row: etree._Element) -> Iterator[tuple[Parts, str | None]]:
    todo: list[tuple[Parts, etree._Element]] = [((), row)]
    while todo:
        at, element = todo.pop()
        for name, value in element.attrib.items():
            yield (*at, f"@{str(name).rpartition('}')[2]}"), str(value).strip() or None
        text = (element.text or "").strip() or None
        if text is not None or not len(element):
            yield at, text
        todo += [((*at, local(child)), child) for child in reversed(element)]


def _of_json(row: Any) -> Iterator[tuple[Parts, str | None]]:
    todo: list[tuple[Parts, Any]] = [((), row)]
    while todo:
        at, value = todo.pop()
        if isinstance(value, dict) and value:
            todo += [((*at, name), part) for name, part in reversed(value.items())]
        elif isinstance(value, list) and value:
            todo += [((*at, ITEM), part) for part in reversed(value)]
        else:
            yield at, _text(value)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() or None


def place_of(element: etree._Element, row: etree._Element) -> Parts | None:
    """Where an element stands in a row; None where it stands outside of it."""
    found: list[str] = []
    at: etree._Element | None = element
    while at is not None and at is not row:
        found.append(local(at))
        at = at.getparent()
    return None if at is None else tuple(reversed(found))
